// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/resize.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "maps/pins.hpp"

namespace weir::datapath {

namespace {

// Calls with an empty view of this map's type.
auto with_type(std::string_view name, auto call) {
    if (name == "frontends") return call(maps::FrontendMap());
    if (name == "vips") return call(maps::VipMap());
    if (name == "source_ranges") return call(maps::SourceRangeMap());
    if (name == "slots") return call(maps::SlotMap());
    if (name == "backends") return call(maps::BackendMap());
    return call(maps::ServiceMap());
}

template <class Key, class Value>
std::error_code copy(const maps::Map<Key, Value>& from, maps::Map<Key, Value> to) {
    constexpr bool is_array =
        std::is_same_v<maps::Map<Key, Value>, maps::SlotMap> || std::is_same_v<maps::Map<Key, Value>, maps::BackendMap>;
    constexpr std::size_t at_once = 4096;
    std::vector<std::pair<Key, Value>> part;
    std::error_code failure;
    auto write = [&] {
        if (!failure) failure = to.update_all(part).second;
        part.clear();
    };
    auto entries = to.max_entries();
    auto error = from.for_each([&](const Key& key, const Value& value) {
        if constexpr (is_array) {
            if (key >= entries) return;  // not in use, or there would be more
        }
        part.emplace_back(key, value);
        if (part.size() == at_once) write();
    });
    write();
    return error ? error : failure;
}

}  // namespace

bool is_filled_by_agent(std::string_view name) {
    return name == "frontends" || name == "vips" || name == "source_ranges" || name == "slots" || name == "backends" ||
           name == "services";
}

std::expected<std::uint64_t, std::error_code> entries_needed(std::string_view name, const MapFds& fds) {
    std::uint64_t needed = 0;
    auto at_least = [&](std::uint64_t entries) { needed = std::max(needed, entries); };
    std::error_code error;
    // Of `slots` only what a frontend names is in use.
    if (name == "slots") {
        error = maps::view<maps::FrontendMap>(fds.find("frontends")->second.get())
                    .for_each([&](const auto&, const auto& frontend) {
                        for (const auto& range : {frontend.cluster, frontend.external}) {
                            auto end = std::uint64_t{range.offset} + range.length;
                            at_least((end + abi::SLOTS_PER_LINE - 1) / abi::SLOTS_PER_LINE);
                        }
                    });
    } else if (name == "backends") {
        error = maps::view<maps::BackendMap>(fds.find(name)->second.get()).for_each([&](auto id, const auto& backend) {
            if (backend.flags & abi::BACKEND_IN_USE) at_least(std::uint64_t{id} + 1);
        });
    } else if (name == "services") {
        // Their ids are no larger than the map.
        error = maps::view<maps::ServiceMap>(fds.find(name)->second.get()).for_each([&](auto id, const auto&) {
            at_least(id);
        });
    } else {
        error = with_type(name, [&]<class M>(M) {
            return maps::view<M>(fds.find(name)->second.get()).for_each([&](const auto&, const auto&) { ++needed; });
        });
    }
    if (error) return std::unexpected(error);
    return needed;
}

std::error_code carry_over(std::string_view name, const maps::Fd& from, const maps::Fd& to) {
    return with_type(name, [&]<class M>(M) { return copy(maps::view<M>(from.get()), maps::view<M>(to.get())); });
}

}  // namespace weir::datapath
