// SPDX-License-Identifier: Apache-2.0
// Sizes of maps by the machine's memory.
#include "loader/datapath/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string_view>
#include <vector>

#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::datapath {
namespace {

constexpr std::uint64_t gib = 1024ull * 1024 * 1024;

// config_scale_test.cpp tests how much these maps hold.
TEST(Settings, DefaultsOf24GiBTakeLessThanAGibibyteWithTheAgent) {
    // The agent's own memory with 44,000 services and 250,000 endpoints is from docs/performance.md.
    EXPECT_LT(memory_of(resolve_sizes({}, 24 * gib)) + 200 * 1024 * 1024, gib);
}

TEST(Settings, SmallMachinesGetSmallMaps) {
    EXPECT_LT(memory_of(resolve_sizes({}, 2 * gib)), 2 * gib / 8);
    EXPECT_LT(memory_of(resolve_sizes({}, 2 * gib)), memory_of(resolve_sizes({}, 8 * gib)));
}

TEST(Settings, TheRingOfUnassuredFlowsIsAPowerOfTwo) {
    MapSizes sizes;
    sizes.unassured = 5000;
    EXPECT_EQ(resolve_sizes(sizes, gib).unassured, 8192u);
}

struct Expected {
    std::string_view name;
    std::uint32_t entries;
    std::uint64_t memory;
};

void PrintTo(const Expected& map, std::ostream* out) {
    *out << map.name << ": " << map.entries << " entries, " << map.memory << " octets";
}

MATCHER(SameMap, "") {
    const auto& [map, expected] = arg;
    return map.name == expected.name && map.entries == expected.entries && map.memory == expected.memory;
}

// Worked out by hand from the kernel's structs: an element of a hash table is 48 octets, the key and the value, each in
// whole words; where elements are allocated one by one there are 8 more, and the slab's size counts (64, 96, 128, 192,
// 256). A bucket is 16, and there is a power of two of them. A leaf of the trie is 64 and 8 more, in slabs of 96, and
// there may be as many nodes between the leaves.
TEST(Settings, EntriesAndMemoryOfEveryMap) {
    MapSizes sizes{.frontends = 1000,
                   .services = 500,
                   .backends = 2000,
                   .slots = 16000,
                   .flows_assured = 4096,
                   .flows_assured_udp = 1024,
                   .unassured = 512,
                   .source_ranges = 300,
                   .affinity = 700,
                   .fragments = 600,
                   .socket_peers = 800};
    const std::vector<Expected> expected = {
        {"frontends", 1000, 144'384},      // 1000 x 128, 1024 buckets
        {"vips", 1000, 112'384},           // 1000 x 96, 1024 buckets
        {"source_ranges", 300, 57'600},    // 600 x 96
        {"slots", 1000, 64'000},           // lines of 64
        {"backends", 2000, 48'000},        // x 24
        {"services", 500, 136'192},        // 500 x 256, 512 buckets
        {"affinity", 700, 72'384},         // 700 x 80, 1024 buckets
        {"flows4", 4096, 589'824},         // 4096 x 128, 4096 buckets
        {"flows6", 4096, 786'432},         // 4096 x 176, 4096 buckets
        {"flows4_udp", 1024, 147'456},     // 1024 x 128, 1024 buckets
        {"flows6_udp", 1024, 196'608},     // 1024 x 176, 1024 buckets
        {"unassured", 512, 98'304},        // x 192
        {"unassured_index", 512, 32'768},  // x 64
        {"unassured_head", 1, 8},
        {"fragments", 600, 73'984},        // 600 x 96, 1024 buckets
        {"socket_peers", 800, 99'584},     // 800 x 104, 1024 buckets
        {"snat_usage", 65536, 9'437'184},  // 65536 x 128, 65536 buckets
        {"devices", 1024, 114'688},        // 1024 x 96, 1024 buckets
        {"runtime", 1, 32},
        {"verdicts", 500, 8000ull * maps::raw::possible_cpus()},  // 5 hooks, a hundred counters of 16 each
    };
    EXPECT_THAT(map_sizes(sizes), testing::Pointwise(SameMap(), expected));
    // All but the verdicts, whose memory depends on the machine.
    EXPECT_EQ(memory_of(sizes) - 8000ull * maps::raw::possible_cpus(), 12'211'816u);
    std::vector<std::string_view> names;
    for (const auto& map : expected) names.push_back(map.name);
    EXPECT_THAT(names, testing::ElementsAreArray(maps::map_names()));
}

}  // namespace
}  // namespace weir::datapath
