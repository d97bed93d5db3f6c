// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/layout.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/plan/maglev.hpp"
#include "tests/unit/plan_fixture.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::plan::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Capacity large{.frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000, .source_ranges = 4};

TEST(Layout, ANewServiceIsWrittenWhole) {
    Kernel kernel(large);
    auto changes = kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    EXPECT_THAT(changes.backends_on, SizeIs(2));
    EXPECT_THAT(changes.services_on, SizeIs(1));
    ASSERT_THAT(changes.slots, SizeIs(1));
    EXPECT_EQ(changes.slots[0].range.length, 211u);
    EXPECT_THAT(changes.frontends_on, SizeIs(1));
    EXPECT_STREQ(changes.services_on[0].second.name, "ns/web:http");
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.2:8080");
    const auto& [id, entry] = changes.backends_on[0];
    EXPECT_EQ(id, 1u);
    EXPECT_EQ(entry.port_be, htons(8080));
    EXPECT_EQ(entry.protocol, 6);
    EXPECT_EQ(entry.flags, abi::BACKEND_IN_USE);
    EXPECT_EQ(entry.address.bytes[15], 1);
    EXPECT_EQ(entry.address.bytes[11], 0xff);
}

TEST(Layout, TheSamePlanAgainWritesNothing) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    EXPECT_TRUE(kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"})).empty());
}

TEST(Layout, AChangedSetGetsANewRangeAndTheFrontendIsSwitched) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    auto before = kernel.frontend("10.96.0.1");
    auto changes = kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
    EXPECT_THAT(changes.backends_on, SizeIs(1));
    EXPECT_THAT(changes.services_on, IsEmpty());
    EXPECT_THAT(changes.frontends_on, SizeIs(1));
    EXPECT_THAT(changes.frontends_off, IsEmpty());
    EXPECT_NE(kernel.frontend("10.96.0.1").cluster.offset, before.cluster.offset);
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080");
}

TEST(Layout, ABackendThatLeavesIsSwitchedOff) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    auto changes = kernel.update(plan_of("web", {"10.0.0.2"}));
    EXPECT_THAT(changes.backends_off, ElementsAre(1u));
    EXPECT_THAT(changes.backends_on, IsEmpty());
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.2:8080");
}

TEST(Layout, IdsWaitForTwoGracePeriodsButReturnToTheirOwner) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    kernel.update(plan_of("web", {"10.0.0.2"}));
    auto other = kernel.update(plan_of("other", {"10.0.0.9"}, "10.96.0.2"));
    EXPECT_EQ(other.backends_on[0].first, 3u) << "id 1 is in quarantine";
    auto back = kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    ASSERT_THAT(back.backends_on, SizeIs(1));
    EXPECT_EQ(back.backends_on[0].first, 1u);

    kernel.update(plan_of("web", {"10.0.0.2"}));
    kernel.layout().grace_period_passed();
    kernel.layout().grace_period_passed();
    auto third = kernel.update(plan_of("third", {"10.0.0.7"}, "10.96.0.3"));
    EXPECT_EQ(third.backends_on[0].first, 1u);
    EXPECT_EQ(kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"})).backends_on[0].first, 4u);
}

TEST(Layout, WhatGoesOffAndOnInOneBatchStaysOn) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    MapChanges changes;
    kernel.layout().update(plan_of("web", {"10.0.0.2"}), changes);
    kernel.layout().update(gone("web"), changes);
    kernel.layout().update(plan_of("new", {"10.0.0.3"}), changes);  // the same frontend
    EXPECT_THAT(changes.frontends_off, IsEmpty());
    kernel.apply(changes);
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.3:8080");

    changes = {};
    kernel.layout().update(plan_of("new", {"10.0.0.4"}), changes);
    kernel.layout().update(plan_of("new", {"10.0.0.3"}), changes);
    kernel.apply(changes);
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.3:8080");
}

TEST(Layout, AFrontendMayPassToAnotherServiceInEitherOrder) {
    for (bool taker_first : {false, true}) {
        Kernel kernel(large);
        kernel.update(plan_of("a", {"10.0.0.1"}, "10.96.0.1"));
        MapChanges changes;
        if (taker_first) kernel.layout().update(plan_of("b", {"10.0.0.2"}, "10.96.0.1"), changes);
        kernel.layout().update(plan_of("a", {"10.0.0.1"}, "10.96.0.9"), changes);
        if (!taker_first) kernel.layout().update(plan_of("b", {"10.0.0.2"}, "10.96.0.1"), changes);
        kernel.apply(changes);
        EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.2:8080");
        EXPECT_EQ(kernel.backends_of("10.96.0.9"), "10.0.0.1:8080");
        EXPECT_EQ(kernel.contents().frontends.size(), 2u);
    }
}

TEST(Layout, ARemovedServiceLeavesNothing) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1", "10.0.0.2"}));
    auto changes = kernel.update(gone("web"));
    EXPECT_THAT(changes.frontends_off, SizeIs(1));
    EXPECT_THAT(changes.services_off, ElementsAre(1u));
    EXPECT_THAT(changes.backends_off, SizeIs(2));
    EXPECT_TRUE(kernel.contents().frontends.empty() && kernel.contents().backends.empty());
    EXPECT_GT(kernel.layout().usage().slot_lines, 0u) << "its lines are in quarantine";
    kernel.layout().grace_period_passed();
    kernel.layout().grace_period_passed();
    auto usage = kernel.layout().usage();
    EXPECT_EQ(usage.slot_lines + usage.backends + usage.services + usage.frontends, 0u);
}

TEST(Layout, APortThatLeavesTakesOnlyItself) {
    Kernel kernel(large);
    auto plan = plan_of("web", {"10.0.0.1"});
    plan.ports.push_back(plan_of("web", {"10.0.0.1"}, "10.96.0.1", 443, "https").ports[0]);
    kernel.update(plan);
    auto changes = kernel.update(plan_of("web", {"10.0.0.1"}));
    EXPECT_THAT(changes.services_off, ElementsAre(2u));
    EXPECT_THAT(changes.frontends_off, SizeIs(1));
    EXPECT_THAT(changes.frontends_on, IsEmpty());
    EXPECT_EQ(kernel.contents().frontends.size(), 1u);
}

TEST(Layout, NamesThatBeginAlikeAreDifferentServices) {
    Kernel kernel(large);
    kernel.update(plan_of("web", {"10.0.0.1"}, "10.96.0.1"));
    kernel.update(plan_of("web-2", {"10.0.0.2"}, "10.96.0.2"));
    kernel.update(gone("web"));
    EXPECT_EQ(kernel.backends_of("10.96.0.2"), "10.0.0.2:8080");
}

TEST(Layout, TwoSetsAndTheirActions) {
    Kernel kernel(large);
    auto plan = plan_of("web", {"10.0.0.1", "10.0.0.2"});
    auto& port = plan.ports[0];
    port.sets.push_back(backends({"10.0.0.2"}));
    port.frontends[0].external = {.action = abi::SCOPE_BALANCE, .set = 1};
    auto changes = kernel.update(plan);
    EXPECT_THAT(changes.backends_on, SizeIs(2)) << "one id for a backend in both sets";
    EXPECT_EQ(kernel.frontend("10.96.0.1").external.length, 1u);
    port.frontends[0].external = {.action = abi::SCOPE_NO_LOCAL};
    port.sets.pop_back();
    changes = kernel.update(plan);
    EXPECT_THAT(changes.slots, IsEmpty()) << "the other set did not change";
    EXPECT_THAT(changes.backends_off, IsEmpty());
    EXPECT_EQ(kernel.frontend("10.96.0.1").external_action, abi::SCOPE_NO_LOCAL);
    EXPECT_EQ(kernel.frontend("10.96.0.1").external.length, 0u);
}

struct Full {
    std::string map;
    Capacity capacity;
};
class MapFull : public testing::TestWithParam<Full> {};

TEST_P(MapFull, TheServiceThatFindsNoRoomStaysAsItWas) {
    Kernel kernel(GetParam().capacity);
    kernel.update(plan_of("a", {"10.0.0.1"}, "10.96.0.1"));
    kernel.update(plan_of("b", {"10.0.0.2"}, "10.96.0.2"));
    auto contents = kernel.contents();
    std::vector<model::Problem> problems;
    auto larger = plan_of("b", {"10.0.0.2", "10.0.0.3"}, "10.96.0.2");
    larger.ports.push_back(plan_of("b", {"10.0.0.4"}, "10.96.0.3", 81, "more").ports[0]);
    EXPECT_TRUE(kernel.update(larger, &problems).empty());
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_THAT(problems[0].what, HasSubstr("datapath.maps." + GetParam().map));
    EXPECT_EQ(problems[0].object, "Service ns/b");
    EXPECT_EQ(kernel.backends_of("10.96.0.2"), "10.0.0.2:8080");
    EXPECT_THAT(kernel.layout().waiting(), IsEmpty()) << "nothing has become free";

    kernel.update(gone("a"));
    kernel.layout().grace_period_passed();
    kernel.layout().grace_period_passed();
    EXPECT_THAT(kernel.layout().waiting(), SizeIs(1));
    EXPECT_FALSE(kernel.update(plan_of("b", {"10.0.0.2"}, "10.96.0.9")).empty()) << "a smaller Service finds room";
    EXPECT_THAT(kernel.layout().waiting(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Maps, MapFull,
    testing::Values(Full{"frontends", {.frontends = 2, .services = 9, .backends = 9, .slot_lines = 99}},
                    Full{"services", {.frontends = 9, .services = 2, .backends = 9, .slot_lines = 99}},
                    Full{"backends", {.frontends = 9, .services = 9, .backends = 3, .slot_lines = 99}},
                    Full{"slots", {.frontends = 9, .services = 9, .backends = 9, .slot_lines = 2}}),
    [](const auto& info) { return info.param.map; });

// The agent deletes old entries only after it has written new ones, so a full map has no room for a move.
TEST(Layout, ARemovedFrontendTakesRoomUntilItIsGone) {
    Kernel kernel({.frontends = 1, .services = 9, .backends = 9, .slot_lines = 99});
    kernel.update(plan_of("a", {"10.0.0.1"}, "10.96.0.1"));
    std::vector<model::Problem> problems;
    kernel.update(plan_of("a", {"10.0.0.1"}, "10.96.0.2"), &problems);
    EXPECT_THAT(problems, SizeIs(1));
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080");
}

}  // namespace
}  // namespace weir::plan::test
