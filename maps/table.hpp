// SPDX-License-Identifier: Apache-2.0
// The one table of maps. maps/maps.bpf.h declares them for the kernel; what user space has to know of a map, it reads
// here. tests/bpf/layout_test.cpp compares the two through BTF, and tests/unit/maps_table_test.cpp compares the table
// with docs/reference/maps.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "maps/abi.h"
#include "maps/map.hpp"
#include "maps/sizes.hpp"

namespace weir::maps {

// The typed views: key and value of each map.
using FrontendMap = Map<abi::frontend_key, abi::frontend>;
using VipMap = Map<abi::address, abi::vip>;
using SourceRangeMap = Map<abi::source_range_key, std::uint32_t>;
using SlotMap = Map<std::uint32_t, abi::slot_line>;
using BackendMap = Map<std::uint32_t, abi::backend>;
using ServiceMap = Map<std::uint32_t, abi::service_name>;
using Flow4Map = Map<abi::flow4_key, abi::flow4>;
using Flow6Map = Map<abi::flow6_key, abi::flow6>;
using FlowPairMap = Map<std::uint32_t, abi::flow_pair>;
using SocketPeerMap = Map<abi::socket_peer_key, abi::socket_peer>;
using SnatUsageMap = Map<abi::snat_usage_key, abi::snat_usage>;
using DeviceMap = Map<std::uint32_t, abi::device>;
using RuntimeMap = Map<std::uint32_t, abi::runtime>;

enum class Kind {
    hash,  // takes memory as it fills
    lru_hash,
    trie,  // longest prefix match; takes memory as it fills
    array,
    per_cpu_array,
};

// Adds the entries. What the agent fills does not change while no agent runs.
enum class Filler { agent, datapath, sockets, sweeper };

// Tells what an agent does at its start with a map that an earlier one has pinned.
enum class Restart {
    adopted,      // goes on with it in the size that it has: what it holds would be lost with it
    resized,      // makes it anew in another configured size, with all that it holds
    replaceable,  // makes it anew where it is missing or has another layout: the next sweep fills it
};

// Whether `weir status` says how full it is.
enum class Usage { shown, hidden };

struct Size {
    const SizeSetting* setting;  // null: fixed
    std::uint32_t fixed;
};
consteval Size fixed(std::uint32_t entries) {
    return {nullptr, entries};
}
consteval Size set_by(std::uint32_t MapSizes::*value) {
    for (const auto& setting : size_settings)
        if (setting.value == value) return {&setting, 0};
    throw std::logic_error("no setting has this value");
}

// A row without the types of key and value.
struct MapRow {
    std::string_view name;
    Kind kind;
    std::uint32_t key_size, value_size;
    Filler filled_by;
    Size size;
    Restart restart;
    Usage usage;

    constexpr std::uint32_t entries(const MapSizes& sizes) const {
        return size.setting ? sizes.*size.setting->value / size.setting->per_entry : size.fixed;
    }
};

template <class MapView>
struct TypedRow : MapRow {
    using View = MapView;
};

template <class View>
consteval TypedRow<View> row(std::string_view name, Kind kind, Filler filled_by, Size size, Restart restart,
                             Usage usage) {
    return {{name, kind, sizeof(typename View::key_type), sizeof(typename View::value_type), filled_by, size, restart,
             usage}};
}

inline constexpr auto typed_table = [] {
    using enum Kind;
    using enum Filler;
    using enum Restart;
    using enum Usage;
    constexpr auto by_frontends = set_by(&MapSizes::frontends), by_assured = set_by(&MapSizes::flows_assured),
                   by_assured_udp = set_by(&MapSizes::flows_assured_udp), by_unassured = set_by(&MapSizes::unassured);
    return std::tuple{
        row<FrontendMap>("frontends", hash, agent, by_frontends, resized, shown),
        // Each frontend may have an address of its own.
        row<VipMap>("vips", hash, agent, by_frontends, resized, hidden),
        row<SourceRangeMap>("source_ranges", trie, agent, set_by(&MapSizes::source_ranges), resized, hidden),
        row<SlotMap>("slots", array, agent, set_by(&MapSizes::slots), resized, hidden),
        row<BackendMap>("backends", array, agent, set_by(&MapSizes::backends), resized, shown),
        row<ServiceMap>("services", hash, agent, set_by(&MapSizes::services), resized, shown),
        row<Map<abi::affinity_key, abi::affinity>>("affinity", lru_hash, datapath, set_by(&MapSizes::affinity), adopted,
                                                   hidden),
        row<Flow4Map>("flows4", lru_hash, datapath, by_assured, adopted, shown),
        row<Flow6Map>("flows6", lru_hash, datapath, by_assured, adopted, shown),
        row<Flow4Map>("flows4_udp", lru_hash, datapath, by_assured_udp, adopted, shown),
        row<Flow6Map>("flows6_udp", lru_hash, datapath, by_assured_udp, adopted, shown),
        row<FlowPairMap>("unassured", array, datapath, by_unassured, adopted, shown),
        row<Map<std::uint32_t, abi::pair_bucket>>("unassured_index", array, datapath, by_unassured, adopted, hidden),
        row<Map<std::uint32_t, abi::pair_head>>("unassured_head", array, datapath, fixed(1), adopted, hidden),
        row<Map<abi::fragment_key, abi::fragment>>("fragments", lru_hash, datapath, set_by(&MapSizes::fragments),
                                                   adopted, hidden),
        row<SocketPeerMap>("socket_peers", lru_hash, sockets, set_by(&MapSizes::socket_peers), adopted, shown),
        row<SnatUsageMap>("snat_usage", hash, sweeper, fixed(65536), replaceable, shown),
        row<DeviceMap>("devices", hash, agent, fixed(1024), adopted, hidden),
        row<RuntimeMap>("runtime", array, agent, fixed(1), adopted, hidden),
        row<PerCpuArray<abi::verdict_count>>("verdicts", per_cpu_array, datapath, fixed(abi::VERDICT_KEYS), adopted,
                                             hidden),
    };
}();

inline constexpr auto table =
    std::apply([](const auto&... rows) { return std::array{static_cast<const MapRow&>(rows)...}; }, typed_table);

// Only what the agent alone fills can be copied while the programs run, and only a configured size can change. A
// setting is told by its lack of a fixed size: g++ 12 compares no pointer in a constant under its sanitizers.
static_assert([] {
    for (const auto& map : table)
        if (map.restart == Restart::resized && (map.filled_by != Filler::agent || map.size.fixed != 0)) return false;
    return true;
}());

// The map's row; null where the table has none of that name.
constexpr const MapRow* find_map(std::string_view name) {
    for (const auto& map : table)
        if (map.name == name) return &map;
    return nullptr;
}

// Calls call(std::type_identity<View>) for the view of the map of this name and returns its answer. A call that takes
// type_identity<Map<Key, Value>> is for all maps but the per-CPU array.
template <class Call>
auto with_view(std::string_view name, Call call) {
    std::optional<decltype(call(std::type_identity<FrontendMap>()))> answer;
    auto call_if_meant = [&]<class View>(const TypedRow<View>& row) {
        if constexpr (std::is_invocable_v<Call, std::type_identity<View>>) {
            if (row.name == name) answer.emplace(call(std::type_identity<View>()));
        }
    };
    std::apply([&](const auto&... rows) { (call_if_meant(rows), ...); }, typed_table);
    if (!answer) throw std::logic_error("no map with such a view: " + std::string(name));
    return *answer;
}

// Arrays have all their elements from the start: what tells one that is in use.
constexpr bool is_used(const auto&) {
    return true;
}
constexpr bool is_used(const abi::backend& backend) {
    return backend.flags & abi::BACKEND_IN_USE;
}
constexpr bool is_used(const abi::flow_pair& pair) {
    return pair.family != 0;
}

}  // namespace weir::maps
