// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "maps/abi.h"
#include "maps/table.hpp"

namespace weir::datapath {

namespace {

// Where the kernel allocates elements one by one: kmalloc's sizes are the powers of two, 96 and 192.
constexpr std::uint64_t allocated(std::uint64_t octets) {
    for (std::uint64_t between : {96u, 192u}) {
        if (octets > between / 3 * 2 && octets <= between) return between;
    }
    return std::bit_ceil(octets);
}

constexpr std::uint64_t words(std::uint64_t octets) {
    return (octets + 7) / 8 * 8;
}

// A bucket per entry, rounded up to a power of two: 16 octets.
std::uint64_t buckets(std::uint64_t entries) {
    return std::bit_ceil(std::max<std::uint64_t>(entries, 1)) * 16;
}

// Octets that the kernel takes for a full map.
std::uint64_t memory_of(const maps::MapRow& map, std::uint64_t entries) {
    // struct htab_elem: 48 octets before the key. Where elements are allocated one by one, the allocator keeps a
    // pointer before each.
    const std::uint64_t key = words(map.key_size), value = words(map.value_size), element = 48 + key + value;
    switch (map.kind) {
        case maps::Kind::hash:
            return entries * allocated(element + 8) + buckets(entries);
        case maps::Kind::lru_hash:
            return entries * element + buckets(entries);
        case maps::Kind::trie: {
            // struct lpm_trie_node: 40 octets before the data; the key begins with the length of the prefix, which is
            // no data. Between n leaves there are up to n - 1 nodes.
            auto node = 40 + map.key_size - sizeof(std::uint32_t) + map.value_size;
            return entries * 2 * allocated(node + 8);
        }
        case maps::Kind::array:
            return entries * value;
        case maps::Kind::per_cpu_array:
            return entries * value * maps::raw::possible_cpus();
    }
    return 0;
}

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
    if (sizes.flows_assured_udp == 0) sizes.flows_assured_udp = std::max(sizes.flows_assured / 4, 8192u);
    sizes.unassured = std::bit_ceil(sizes.unassured);
    return sizes;
}

std::vector<MapSize> map_sizes(const MapSizes& sizes) {
    std::vector<MapSize> list;
    for (const auto& map : maps::table) {
        auto entries = map.entries(sizes);
        list.push_back({map.name, entries, memory_of(map, entries), map.size.setting ? map.size.setting->key : ""});
    }
    return list;
}

std::uint64_t memory_of(const MapSizes& sizes) {
    std::uint64_t octets = 0;
    for (const auto& map : map_sizes(sizes)) octets += map.memory;
    return octets;
}

std::uint64_t machine_memory() {
    auto pages = ::sysconf(_SC_PHYS_PAGES);
    auto page = ::sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0;
}

}  // namespace weir::datapath
