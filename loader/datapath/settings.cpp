// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "maps/abi.h"

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

// struct htab_elem: 48 octets before the key.
template <class Key, class Value>
constexpr std::uint64_t hash_element = 48 + words(sizeof(Key)) + words(sizeof(Value));

// LRU hash: all elements are there from the start.
template <class Key, class Value>
MapSize lru(std::string_view name, std::uint32_t entries, std::string_view key) {
    return {name, entries, entries * hash_element<Key, Value> + buckets(entries), key};
}

// Hash without preallocation: the allocator keeps a pointer before each element.
template <class Key, class Value>
MapSize growing(std::string_view name, std::uint32_t entries, std::string_view key) {
    return {name, entries, entries * allocated(hash_element<Key, Value> + 8) + buckets(entries), key};
}

// struct lpm_trie_node: 40 octets before the data; between n leaves there are up to n - 1 nodes.
MapSize trie(std::string_view name, std::uint32_t entries, std::string_view key) {
    constexpr std::uint64_t data = sizeof(abi::source_range_key) - sizeof(abi::source_range_key::prefix_length);
    constexpr std::uint64_t node = 40 + data + sizeof(std::uint32_t);
    return {name, entries, entries * 2 * allocated(node + 8), key};
}

template <class Value>
MapSize array(std::string_view name, std::uint32_t entries, std::string_view key) {
    return {name, entries, entries * words(sizeof(Value)), key};
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
    constexpr std::string_view assured = "datapath.flowTable.assured", assured_udp = "datapath.flowTable.assuredUdp",
                               unassured = "datapath.flowTable.unassured", frontends = "datapath.maps.frontends",
                               fixed = "";
    return {
        growing<abi::frontend_key, abi::frontend>("frontends", sizes.frontends, frontends),
        // Each frontend may have an address of its own.
        growing<abi::address, abi::vip>("vips", sizes.frontends, frontends),
        trie("source_ranges", sizes.source_ranges, "datapath.maps.sourceRanges"),
        array<abi::slot_line>("slots", sizes.slots / abi::SLOTS_PER_LINE, "datapath.maps.slots"),
        array<abi::backend>("backends", sizes.backends, "datapath.maps.backends"),
        growing<std::uint32_t, abi::service_name>("services", sizes.services, "datapath.maps.services"),
        lru<abi::affinity_key, abi::affinity>("affinity", sizes.affinity, "datapath.maps.affinity"),
        lru<abi::flow4_key, abi::flow4>("flows4", sizes.flows_assured, assured),
        lru<abi::flow6_key, abi::flow6>("flows6", sizes.flows_assured, assured),
        lru<abi::flow4_key, abi::flow4>("flows4_udp", sizes.flows_assured_udp, assured_udp),
        lru<abi::flow6_key, abi::flow6>("flows6_udp", sizes.flows_assured_udp, assured_udp),
        array<abi::flow_pair>("unassured", sizes.unassured, unassured),
        array<abi::pair_bucket>("unassured_index", sizes.unassured, unassured),
        array<abi::pair_head>("unassured_head", 1, fixed),
        lru<abi::fragment_key, abi::fragment>("fragments", sizes.fragments, "datapath.maps.fragments"),
        lru<abi::socket_peer_key, abi::socket_peer>("socket_peers", sizes.socket_peers, "datapath.maps.socketPeers"),
        growing<abi::snat_usage_key, abi::snat_usage>("snat_usage", 65536, fixed),
        growing<std::uint32_t, abi::device>("devices", 1024, fixed),
        array<abi::runtime>("runtime", 1, fixed),
        {"verdicts", abi::VERDICT_KEYS,
         abi::VERDICT_KEYS * std::uint64_t{sizeof(abi::verdict_count)} * maps::raw::possible_cpus(), fixed},
    };
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
