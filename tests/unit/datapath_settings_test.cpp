// SPDX-License-Identifier: Apache-2.0
// Sizes of maps by the machine's memory.
#include "loader/datapath/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::datapath {
namespace {

constexpr std::uint64_t gib = 1024ull * 1024 * 1024;

// What they hold: datapath_scale_test.cpp.
TEST(Settings, DefaultsOf24GiBTakeLessThanAGibibyteWithTheAgent) {
    // What the agent keeps of its own with 44,000 services and 250,000 endpoints: docs/performance.md.
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

TEST(Settings, EveryMapHasASize) {
    std::vector<std::string_view> names;
    std::uint64_t memory = 0;
    for (const auto& map : map_sizes(resolve_sizes({}, gib))) {
        names.push_back(map.name);
        memory += map.memory;
        EXPECT_GT(map.entries, 0u) << map.name;
        // No map is smaller than its keys and values.
        EXPECT_GE(map.memory, std::uint64_t{map.entries} * 4) << map.name;
    }
    EXPECT_THAT(names, testing::ElementsAreArray(maps::map_names()));
    EXPECT_EQ(memory_of(resolve_sizes({}, gib)), memory);
}

TEST(Settings, MemoryOfTheKindsOfMaps) {
    MapSizes sizes{.frontends = 1000, .backends = 1000, .flows_assured = 1000, .source_ranges = 1000};
    for (const auto& map : map_sizes(sizes)) {
        // 48 + 24 + 32 and a pointer before it, from the slabs of 128; 1024 buckets of 16.
        if (map.name == "frontends") {
            EXPECT_EQ(map.memory, 1000u * 128 + 1024 * 16);
        }
        // 48 + 16 + 64, in one piece.
        if (map.name == "flows4") {
            EXPECT_EQ(map.memory, 1000u * 128 + 1024 * 16);
        }
        if (map.name == "backends") {
            EXPECT_EQ(map.memory, 1000u * 24);
        }
        // 40 + 20 + 4 and a pointer, from the slabs of 96; a node between each two.
        if (map.name == "source_ranges") {
            EXPECT_EQ(map.memory, 1000u * 2 * 96);
        }
    }
}

}  // namespace
}  // namespace weir::datapath
