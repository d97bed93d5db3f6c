// SPDX-License-Identifier: Apache-2.0
// Sizes of maps by the machine's memory.
#include "loader/datapath/settings.hpp"

#include <gtest/gtest.h>

#include "loader/plan/maglev.hpp"
#include "maps/abi.h"

namespace weir::datapath {
namespace {

constexpr std::uint64_t gib = 1024ull * 1024 * 1024;

TEST(Settings, DefaultsOf24GiBHoldLargeClustersInAGibibyte) {
    // A machine of 24 GiB has a little less for the kernel to give.
    auto sizes = resolve_sizes({}, 47 * gib / 2);
    constexpr std::uint32_t services = 44'000, endpoints = 6;
    EXPECT_GE(sizes.services, services);
    EXPECT_GE(sizes.frontends, 3 * services) << "ClusterIP, NodePort and load balancer";
    EXPECT_GT(sizes.backends, services * endpoints);
    auto lines = [](std::uint32_t backends) {
        return (plan::maglev_size(backends) + abi::SLOTS_PER_LINE - 1) / abi::SLOTS_PER_LINE;
    };
    EXPECT_GE(sizes.slots / abi::SLOTS_PER_LINE, services * lines(endpoints));
    // The same in fewer services. Tables grow by powers of two: just above one they take the most.
    for (std::uint32_t of_each : {33u, 50u, 65u, 129u, 513u})
        EXPECT_GE(sizes.slots / abi::SLOTS_PER_LINE, 250'000 / of_each * lines(of_each)) << of_each;
    // What the agent keeps of its own at this size: docs/performance.md.
    EXPECT_LT(memory_of(sizes) + 150 * 1024 * 1024, gib);
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

}  // namespace
}  // namespace weir::datapath
