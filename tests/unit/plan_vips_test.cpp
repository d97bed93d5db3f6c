// SPDX-License-Identifier: Apache-2.0
// The content of the maps vips, source_ranges and backends beside the frontends themselves.
#include <gtest/gtest.h>

#include "tests/unit/plan_maps.hpp"

namespace weir::plan::test {
namespace {

constexpr Capacity capacity{.frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000, .source_ranges = 4};

ServicePlan open_plan(const std::string& name, const std::string& frontend, std::uint16_t number = 80) {
    auto plan = plan_of(name, {"10.0.0.1"}, frontend, number);
    plan.ports[0].frontends[0].external = plan.ports[0].frontends[0].cluster;
    return plan;
}

ServicePlan restricted(const std::vector<std::string>& ranges) {
    auto plan = open_plan("web", "198.51.100.1");
    plan.ports[0].frontends[0].restricted = !ranges.empty();
    for (const auto& range : ranges) plan.ports[0].source_ranges.push_back(cidr(range));
    return plan;
}

TEST(Vips, AnAddressStaysAsLongAsOneFrontendHasIt) {
    Kernel kernel(capacity);
    kernel.update(open_plan("a", "192.0.2.1", 80));
    kernel.update(open_plan("b", "192.0.2.1", 81));
    kernel.update(gone("a"));
    EXPECT_TRUE(kernel.vip("192.0.2.1"));
    kernel.update(gone("b"));
    EXPECT_FALSE(kernel.vip("192.0.2.1"));
}

TEST(Vips, ClosedUnlessSomethingIsOfferedToUplinks) {
    Kernel kernel(capacity);
    kernel.update(plan_of("a", {"10.0.0.1"}, "10.96.0.1", 80));
    EXPECT_EQ(kernel.vip("10.96.0.1"), abi::VIP_CLOSED_OUTSIDE);
    kernel.update(open_plan("b", "10.96.0.1", 81));
    EXPECT_EQ(kernel.vip("10.96.0.1"), 0u);
    kernel.update(gone("b"));
    EXPECT_EQ(kernel.vip("10.96.0.1"), abi::VIP_CLOSED_OUTSIDE);
}

TEST(Vips, AnAddressOfTheNodeIsMarkedAndFollowsTheNode) {
    Kernel kernel(capacity);
    auto plan = open_plan("a", "192.168.0.2");
    plan.ports[0].frontends[0].of_node = true;
    kernel.update(plan);
    EXPECT_EQ(kernel.vip("192.168.0.2"), abi::VIP_OF_NODE);
    plan.ports[0].frontends[0].of_node = false;
    kernel.update(plan);
    EXPECT_EQ(kernel.vip("192.168.0.2"), 0u);
}

TEST(Vips, GoingAndComingInOneBatchLeavesItThere) {
    Kernel kernel(capacity);
    kernel.update(open_plan("a", "192.0.2.1"));
    MapChanges changes;
    kernel.layout().update(gone("a"), changes);
    kernel.layout().update(open_plan("b", "192.0.2.1"), changes);
    kernel.apply(changes);
    EXPECT_TRUE(kernel.vip("192.0.2.1"));
}

TEST(Vips, ARestartRestoresWhatIsMissingAndDropsWhatIsStray) {
    Kernel kernel(capacity);
    kernel.update(open_plan("a", "192.0.2.1"));
    auto contents = kernel.contents();
    contents.vips = {{frontend_key(address("192.0.2.99"), 0, model::Protocol::tcp).address, abi::vip{}}};
    kernel.load(contents);
    kernel.restart(contents, {open_plan("a", "192.0.2.1")});
    EXPECT_TRUE(kernel.vip("192.0.2.1"));
    EXPECT_FALSE(kernel.vip("192.0.2.99"));
}

TEST(Vips, TheAddressOfAnotherProxysServiceIsPassedOn) {
    Kernel kernel(capacity);
    ServicePlan foreign;
    foreign.service = {.name_space = "ns", .name = "mesh"};
    foreign.state = ServiceState::other_proxy;
    foreign.cluster_ips = {address("10.96.0.9")};
    MapChanges changes;
    kernel.layout().update(foreign, changes);
    kernel.apply(changes);
    EXPECT_EQ(kernel.vip("10.96.0.9"), abi::VIP_OF_NODE);
    kernel.update(plan_of("mesh", {"10.0.0.1"}, "10.96.0.9"));
    EXPECT_EQ(kernel.vip("10.96.0.9"), abi::VIP_CLOSED_OUTSIDE) << "a service address from now on";
    changes = {};
    kernel.layout().update(foreign, changes);
    kernel.layout().update(gone("mesh"), changes);
    kernel.apply(changes);
    EXPECT_FALSE(kernel.vip("10.96.0.9"));
}

TEST(SourceRanges, FollowThePlan) {
    Kernel kernel(capacity);
    kernel.update(restricted({"10.0.0.0/8", "203.0.113.0/24"}));
    EXPECT_EQ(kernel.source_ranges(), 2u);
    EXPECT_EQ(kernel.frontend("198.51.100.1").flags, abi::FRONTEND_SOURCE_RANGES);
    auto changes = kernel.update(restricted({"10.0.0.0/8", "2001:db8::/32"}));
    EXPECT_EQ(changes.source_ranges_on.size(), 1u);
    EXPECT_EQ(changes.source_ranges_off.size(), 1u);
    kernel.update(restricted({}));
    EXPECT_EQ(kernel.source_ranges(), 0u);
    EXPECT_EQ(kernel.frontend("198.51.100.1").flags, 0);
}

TEST(SourceRanges, GoWithTheService) {
    Kernel kernel(capacity);
    kernel.update(restricted({"10.0.0.0/8"}));
    kernel.update(gone("web"));
    EXPECT_EQ(kernel.source_ranges(), 0u);
    EXPECT_EQ(kernel.layout().usage().source_ranges, 0u);
}

TEST(SourceRanges, AFullMapFailsTheServiceAlone) {
    Kernel kernel(capacity);
    std::vector<model::Problem> problems;
    kernel.update(restricted({"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"}), &problems);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_NE(problems[0].what.find("datapath.maps.sourceRanges"), std::string::npos) << problems[0].what;
    EXPECT_EQ(kernel.source_ranges(), 0u);
}

TEST(SourceRanges, ARestartWritesNothingAgain) {
    Kernel kernel(capacity);
    kernel.update(restricted({"10.0.0.0/8"}));
    auto changes = kernel.restart(kernel.contents(), {restricted({"10.0.0.0/8"})});
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(kernel.source_ranges(), 1u);
}

TEST(Affinity, BackendsAndFrontendsNameTheSet) {
    Kernel kernel(capacity);
    auto plan = plan_of("web", {"10.0.0.1", "10.0.0.2"}, "192.0.2.1");
    auto& port = plan.ports[0];
    port.affinity_seconds = 10800;
    port.cluster_members = backends({"10.0.0.1", "10.0.0.2"});
    port.local_members = backends({"10.0.0.1"});
    port.sets.push_back(backends({"10.0.0.1"}));
    port.frontends[0].external = {.action = abi::SCOPE_BALANCE, .set = 1, .local = true};
    kernel.update(plan);
    auto frontend = kernel.frontend("192.0.2.1");
    EXPECT_EQ(frontend.flags, abi::FRONTEND_AFFINITY);
    EXPECT_EQ(frontend.affinity_ticks, 10800ull * 1'000'000'000 >> abi::TICK_SHIFT);
    EXPECT_EQ(frontend.cluster_members, abi::BACKEND_IN_CLUSTER_SET);
    EXPECT_EQ(frontend.external_members, abi::BACKEND_IN_LOCAL_SET);
    EXPECT_EQ(kernel.backend("10.0.0.1")->flags,
              abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET | abi::BACKEND_IN_LOCAL_SET);
    EXPECT_EQ(kernel.backend("10.0.0.2")->flags, abi::BACKEND_IN_USE | abi::BACKEND_IN_CLUSTER_SET);
}

}  // namespace
}  // namespace weir::plan::test
