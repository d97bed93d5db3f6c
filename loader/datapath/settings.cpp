// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "maps/abi.h"

namespace weir::datapath {

namespace {

// struct htab_elem: 48 bytes before the key; a bucket per entry (rounded up to a power of two): 16 bytes.
template <class Key, class Value>
std::uint64_t hash_memory(std::uint64_t entries) {
    constexpr std::uint64_t element = 48 + (sizeof(Key) + 7) / 8 * 8 + (sizeof(Value) + 7) / 8 * 8;
    return entries * element + std::bit_ceil(std::max<std::uint64_t>(entries, 1)) * 16;
}

// Fixed in maps/maps.bpf.h.
constexpr std::uint64_t fragment_entries = 8192;
constexpr std::uint64_t socket_peer_entries = 65536;

}  // namespace

MapSizes resolve_sizes(MapSizes sizes, std::uint64_t memory_bytes) {
    constexpr std::uint64_t mib = 1024 * 1024;
    if (sizes.slots == 0) {
        auto bytes = std::clamp<std::uint64_t>(memory_bytes / 96, 16 * mib, 256 * mib);
        sizes.slots = static_cast<std::uint32_t>(bytes / sizeof(std::uint32_t));
    }
    sizes.slots = (sizes.slots + abi::SLOTS_PER_LINE - 1) / abi::SLOTS_PER_LINE * abi::SLOTS_PER_LINE;
    if (sizes.flows_assured == 0) {
        auto flows = std::clamp<std::uint64_t>(memory_bytes / 32768, 32768, 524288);
        sizes.flows_assured = static_cast<std::uint32_t>(std::bit_floor(flows));
    }
    sizes.unassured = std::bit_ceil(sizes.unassured);
    return sizes;
}

std::uint64_t memory_of(const MapSizes& sizes) {
    return hash_memory<abi::frontend_key, abi::frontend>(sizes.frontends) +
           hash_memory<std::uint32_t, abi::service_name>(sizes.services) +
           hash_memory<abi::address, abi::vip>(sizes.frontends) +
           hash_memory<abi::source_range_key, std::uint32_t>(sizes.source_ranges) +
           hash_memory<abi::affinity_key, abi::affinity>(sizes.affinity) +
           hash_memory<abi::fragment_key, abi::fragment>(fragment_entries) +
           hash_memory<abi::socket_peer_key, abi::socket_peer>(socket_peer_entries) +
           sizes.backends * std::uint64_t{sizeof(abi::backend)} + sizes.slots * std::uint64_t{sizeof(std::uint32_t)} +
           hash_memory<abi::flow4_key, abi::flow4>(sizes.flows_assured) +
           hash_memory<abi::flow6_key, abi::flow6>(sizes.flows_assured) +
           sizes.unassured * std::uint64_t{sizeof(abi::flow_pair) + sizeof(abi::pair_bucket)};
}

std::uint64_t machine_memory() {
    auto pages = ::sysconf(_SC_PHYS_PAGES);
    auto page = ::sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0;
}

}  // namespace weir::datapath
