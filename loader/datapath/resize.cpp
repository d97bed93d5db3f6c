// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/resize.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "maps/table.hpp"

namespace weir::datapath {

namespace {

template <class Key, class Value>
std::error_code copy(const maps::Map<Key, Value>& from, maps::Map<Key, Value> to, maps::Kind kind) {
    constexpr std::size_t at_once = 4096;
    std::vector<std::pair<Key, Value>> part;
    std::error_code failure;
    auto write = [&] {
        if (!failure) failure = to.update_all(part).second;
        part.clear();
    };
    auto entries = to.max_entries();
    auto error = from.for_each([&](const Key& key, const Value& value) {
        if constexpr (std::is_integral_v<Key>) {
            // Not in use: entries_needed() would be more.
            if (kind == maps::Kind::array && key >= entries) return;
        }
        part.emplace_back(key, value);
        if (part.size() == at_once) write();
    });
    write();
    return error ? error : failure;
}

}  // namespace

std::expected<std::uint64_t, std::error_code> entries_needed(std::string_view name, const MapFds& fds) {
    std::uint64_t needed = 0;
    auto at_least = [&](std::uint64_t entries) { needed = std::max(needed, entries); };
    std::error_code error;
    // Only those parts of `slots` are in use that a frontend names.
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
            if (maps::is_used(backend)) at_least(std::uint64_t{id} + 1);
        });
    } else if (name == "services") {
        // Their ids are no larger than the map.
        error = maps::view<maps::ServiceMap>(fds.find(name)->second.get()).for_each([&](auto id, const auto&) {
            at_least(id);
        });
    } else {
        error = maps::with_view(name, [&]<class Key, class Value>(std::type_identity<maps::Map<Key, Value>>) {
            return maps::view<maps::Map<Key, Value>>(fds.find(name)->second.get())
                .for_each([&](const auto&, const auto&) { ++needed; });
        });
    }
    if (error) return std::unexpected(error);
    return needed;
}

std::error_code carry_over(std::string_view name, const maps::Fd& from, const maps::Fd& to) {
    return maps::with_view(name, [&]<class Key, class Value>(std::type_identity<maps::Map<Key, Value>>) {
        using M = maps::Map<Key, Value>;
        return copy(maps::view<M>(from.get()), maps::view<M>(to.get()), maps::find_map(name)->kind);
    });
}

}  // namespace weir::datapath
