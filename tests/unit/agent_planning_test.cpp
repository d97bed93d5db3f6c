// SPDX-License-Identifier: Apache-2.0
// From objects to plans: the plans that are passed on, and those held back over the maps of an earlier agent.
#include "loader/agent/planning.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan_maps.hpp"

namespace weir::agent {
namespace {

using plan::test::address;
using plan::test::service;
using plan::test::slice;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

model::ObjectName name_of(const std::string& name) {
    return {.name_space = "ns", .name = name};
}

class PlanningTest : public testing::Test {
protected:
    void add(model::Object object) { planning.apply(model::Upsert{std::move(object)}); }
    void add(model::EndpointSlice slice) { add(model::Object(std::vector{std::move(slice)})); }

    // Returns a line for each plan: "a: 10.0.0.1:8080".
    std::vector<std::string> take(const std::vector<model::ObjectName>& waiting = {}) {
        std::vector<std::string> out;
        for (const auto& plan : planning.take(waiting)) {
            out.push_back(plan.service.name + ":");
            for (const auto& port : plan.ports)
                for (const auto& set : port.sets) out.back() += " " + plan::test::text(set);
        }
        return out;
    }
    // Fills the maps with Services a and b, whose ClusterIPs were allocated.
    void adopt() {
        plan::test::Kernel kernel({.frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000});
        kernel.update(plan::test::plan_of("a", {"10.0.0.1"}, "10.96.0.1"));
        kernel.update(plan::test::plan_of("b", {"10.0.0.2"}, "10.96.0.2"));
        planning.adopt(kernel.contents());
        served = {name_of("a"), name_of("b")};
    }

    std::set<model::ObjectName> served;
    Planning planning{plan::test::node(), [this](const auto& service) { return served.contains(service); }};
};

TEST_F(PlanningTest, TellsWhatHasChangedAndWhatWaits) {
    add(service("a", "10.96.0.1"));
    add(slice("a", {{"10.0.0.1"}}));
    EXPECT_FALSE(planning.is_read());
    planning.source_read(true);
    EXPECT_TRUE(planning.is_read());
    EXPECT_THAT(take(), ElementsAre("a: 10.0.0.1:8080"));
    EXPECT_THAT(take(), IsEmpty());
    EXPECT_THAT(take({name_of("a")}), ElementsAre("a: 10.0.0.1:8080"));
}

TEST_F(PlanningTest, PlansEverythingForAnotherNode) {
    add(service("a", "10.96.0.1"));
    take();
    auto node = plan::test::node();
    node.zone = "b";
    planning.set_node(node);
    EXPECT_THAT(take(), ElementsAre("a:"));
}

TEST_F(PlanningTest, KeepsAListOfServicesThatAreNotBalanced) {
    auto headless = service("h", "");
    headless.headless = true;
    add(headless);
    take();
    EXPECT_THAT(planning.not_balanced(), ElementsAre(Pair(name_of("h"), plan::ServiceState::headless)));
    planning.apply(model::Remove{model::Kind::service, name_of("h")});
    take();
    EXPECT_THAT(planning.not_balanced(), IsEmpty());
}

TEST_F(PlanningTest, HoldsBackWhatWouldEmptyAServiceUntilTheSourceIsClean) {
    adopt();
    add(service("a", "10.96.0.1"));
    add(service("b", "10.96.0.2"));
    add(slice("b", {{"10.0.0.3"}}));
    planning.source_read(false);
    EXPECT_THAT(take(), ElementsAre("b: 10.0.0.3:8080")) << "the slice of a may be in the broken file";
    EXPECT_THAT(take(), IsEmpty());
    planning.source_read(true);
    EXPECT_THAT(take(), ElementsAre("a:"));
}

TEST_F(PlanningTest, GivesNoOtherServiceWhatWasAllocatedWhileItIsHeld) {
    adopt();
    planning.source_read(false);
    auto context = plan::test::node();
    context.service_cidrs = {plan::test::cidr("10.96.0.0/30")};
    planning.set_node(context);
    add(service("z", ""));
    auto plans = planning.take({});
    ASSERT_EQ(plans.size(), 1u);
    // The range has four addresses, and a and b may come back for two of them.
    EXPECT_THAT(plans[0].cluster_ips, testing::Not(testing::Contains(address("10.96.0.1"))));
    EXPECT_THAT(plans[0].cluster_ips, testing::Not(testing::Contains(address("10.96.0.2"))));
}

}  // namespace
}  // namespace weir::agent
