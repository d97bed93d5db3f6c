// SPDX-License-Identifier: Apache-2.0
// The default sizes of a machine with 24 GiB hold 44,000 services with 250,000 endpoints, however these are spread.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "loader/datapath/settings.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/maglev.hpp"
#include "loader/plan/slots.hpp"
#include "loader/plan/table.hpp"
#include "maps/abi.h"

namespace weir::datapath {
namespace {

constexpr std::uint64_t gib = 1024ull * 1024 * 1024;
constexpr std::uint32_t all_services = 44'000;
constexpr std::uint32_t all_endpoints = 250'000;
constexpr std::uint32_t frontends_of_each = 3;

model::Address address(std::uint8_t network, std::uint32_t number) {
    return *model::Address::parse(
        fmt::format("{}.{}.{}.{}", network, number >> 16 & 255, number >> 8 & 255, number & 255));
}

// Returns a load balancer's Service with one port and three frontends. first: the number of its first endpoint.
plan::ServicePlan service_plan(std::uint32_t number, std::uint32_t endpoints, std::uint32_t first) {
    plan::ServicePortPlan port{.name = fmt::format("ns/service-{}:http", number)};
    plan::Scope scope{.action = endpoints > 0 ? abi::SCOPE_BALANCE : abi::SCOPE_REJECT};
    port.sets.resize(endpoints > 0 ? 1 : 0);
    for (std::uint32_t i = 0; i < endpoints; ++i)
        port.sets[0].push_back({.address = address(10, first + i), .port = 8080});
    auto add = [&](abi::frontend_kind kind, const model::Address& at, std::uint32_t frontend_port) {
        port.frontends.push_back({.kind = kind,
                                  .address = at,
                                  .port = static_cast<std::uint16_t>(frontend_port),
                                  .cluster = scope,
                                  .external = scope});
    };
    add(abi::FRONTEND_CLUSTER_IP, address(11, number), 80);
    add(abi::FRONTEND_LOAD_BALANCER, address(12, number), 80);
    add(abi::FRONTEND_NODE_PORT, address(13, 1), 1000 + number);
    return {.service = {.name_space = "ns", .name = fmt::format("service-{}", number)}, .ports = {port}};
}

struct Shape {
    std::string name;
    std::vector<std::uint32_t> endpoints;  // of each service
};

// Gives this many services the same number of endpoints, and spreads the other endpoints evenly over the others.
Shape shape(std::string name, std::uint32_t services, std::uint32_t endpoints_of_each) {
    std::vector<std::uint32_t> endpoints(services, endpoints_of_each);
    std::uint32_t left = all_endpoints - services * endpoints_of_each;
    for (std::uint32_t others = all_services - services; others > 0; --others) {
        endpoints.push_back(left / others);
        left -= endpoints.back();
    }
    return {std::move(name), std::move(endpoints)};
}

class Scale : public testing::TestWithParam<Shape> {
protected:
    // The kernel keeps a little of the 24 GiB for itself.
    MapSizes sizes_ = resolve_sizes({}, 47 * gib / 2);
    std::uint32_t slot_lines_ = sizes_.slots / abi::SLOTS_PER_LINE;
};

std::uint32_t lines_for(std::uint32_t endpoints) {
    return plan::lines_of(plan::maglev_size(endpoints));
}

TEST_P(Scale, FitsIntoTheDefaults) {
    const auto& endpoints = GetParam().endpoints;
    ASSERT_EQ(endpoints.size(), all_services);
    ASSERT_EQ(std::accumulate(endpoints.begin(), endpoints.end(), 0u), all_endpoints);
    EXPECT_GE(sizes_.services, all_services);
    EXPECT_GE(sizes_.frontends, frontends_of_each * all_services);
    EXPECT_GT(sizes_.backends, all_endpoints) << "id 0 is never given out";
    plan::SlotAllocator slots(slot_lines_);
    for (auto of_each : endpoints) {
        if (of_each == 0) continue;
        ASSERT_TRUE(slots.take(lines_for(of_each))) << slots.used() << " lines are taken";
    }
    // While a set changes, its old range is still taken. Services with a tenth of all endpoints may change at once.
    auto largest = endpoints;
    std::ranges::sort(largest, std::greater());
    std::uint32_t changed = 0;
    for (auto next = largest.begin(); changed < all_endpoints / 10; changed += *next++)
        ASSERT_TRUE(slots.take(lines_for(*next))) << changed << " endpoints are in sets that change";
}

// Passes only one service in a hundred through the layout, which is slow with full tables.
TEST_P(Scale, TheLayoutTakesNoMore) {
    plan::Layout layout({.frontends = sizes_.frontends,
                         .services = sizes_.services,
                         .backends = sizes_.backends,
                         .slot_lines = slot_lines_,
                         .source_ranges = sizes_.source_ranges});
    const auto& endpoints = GetParam().endpoints;
    std::uint32_t services = 0, backends = 0, lines = 0;
    for (std::uint32_t i = 0; i < all_services; i += 100) {
        plan::MapChanges changes;
        auto problems = layout.update(service_plan(i, endpoints[i], backends), changes);
        ASSERT_TRUE(problems.empty()) << problems[0].what;
        ++services;
        backends += endpoints[i];
        lines += lines_for(endpoints[i]);
    }
    auto usage = layout.usage();
    EXPECT_EQ(usage.services, services);
    EXPECT_EQ(usage.backends, backends);
    EXPECT_EQ(usage.frontends, frontends_of_each * services);
    EXPECT_EQ(usage.slot_lines, lines);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Scale,
                         testing::Values(shape("Uniform", 0, 0), shape("TenOf5000", 10, 5000),
                                         shape("FiftyOf5000", 50, 5000), shape("OneOf200000", 1, 200'000),
                                         // Slot tables grow by powers of two: just above one they waste most.
                                         shape("ManyOf33", 7'575, 33), shape("ManyOf129", 1'900, 129)),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir::datapath
