// SPDX-License-Identifier: Apache-2.0
// The sizes of maps that a configuration sets. Each setting is written here once: its key, its bounds and its default.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "maps/abi.h"

namespace weir::maps {

// Chosen from the machine's memory where 0 (datapath::resolve_sizes).
struct MapSizes {
    std::uint32_t frontends = 262144;
    std::uint32_t services = 131072;
    std::uint32_t backends = 524288;
    std::uint32_t slots = 0;              // in slots; rounded up to whole lines
    std::uint32_t flows_assured = 0;      // of TCP
    std::uint32_t flows_assured_udp = 0;  // of UDP and SCTP
    std::uint32_t unassured = 65536;      // connections; rounded up to a power of two
    std::uint32_t source_ranges = 65536;
    std::uint32_t affinity = 65536;
    std::uint32_t fragments = 8192;
    std::uint32_t socket_peers = 65536;
    bool operator==(const MapSizes&) const = default;
};

struct SizeSetting {
    std::string_view key;  // of the configuration
    std::uint32_t MapSizes::*value;
    std::uint32_t least, most;    // what a configuration may ask for
    std::uint32_t per_entry = 1;  // how much of what it counts is in one entry of a map
};

inline constexpr std::uint32_t most_flows = 1 << 26, most_entries = 1 << 24, most_slots = 1 << 30;

inline constexpr std::array size_settings{
    SizeSetting{"datapath.flowTable.assured", &MapSizes::flows_assured, 1024, most_flows},
    SizeSetting{"datapath.flowTable.assuredUdp", &MapSizes::flows_assured_udp, 1024, most_flows},
    SizeSetting{"datapath.flowTable.unassured", &MapSizes::unassured, 1024, most_flows},
    SizeSetting{"datapath.maps.frontends", &MapSizes::frontends, 1, most_entries},
    SizeSetting{"datapath.maps.services", &MapSizes::services, 1, most_entries},
    // Id 0 is never given out.
    SizeSetting{"datapath.maps.backends", &MapSizes::backends, 2, most_entries},
    SizeSetting{"datapath.maps.sourceRanges", &MapSizes::source_ranges, 1, most_entries},
    SizeSetting{"datapath.maps.affinity", &MapSizes::affinity, 1024, most_entries},
    SizeSetting{"datapath.maps.fragments", &MapSizes::fragments, 1024, most_entries},
    SizeSetting{"datapath.maps.socketPeers", &MapSizes::socket_peers, 1024, most_entries},
    SizeSetting{"datapath.maps.slots", &MapSizes::slots, abi::SLOTS_PER_LINE, most_slots, abi::SLOTS_PER_LINE},
};

}  // namespace weir::maps
