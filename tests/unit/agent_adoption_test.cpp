// SPDX-License-Identifier: Apache-2.0
// The states of taking over from an earlier agent, and the actions that each allows.
#include "loader/agent/adoption.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan_maps.hpp"

namespace weir::agent {
namespace {

using plan::test::gone;
using plan::test::plan_of;
using testing::ElementsAre;
using testing::IsEmpty;
using State = Adoption::State;

const model::ObjectName name_a{.name_space = "ns", .name = "a"};

// The table of the header: remove, attach, keep allocations.
std::string row(State state) {
    auto allows = Adoption::allows(state);
    return std::string(allows.remove ? "remove " : "") + (allows.attach ? "attach " : "") +
           (allows.keep_allocations ? "keep" : "");
}

TEST(AdoptionTest, AllowsWhatTheTableSays) {
    EXPECT_EQ(row(State::fresh), "remove ");
    EXPECT_EQ(row(State::adopting), "remove ");
    EXPECT_EQ(row(State::held), "attach keep");
    EXPECT_EQ(row(State::settled), "remove attach ");
}

TEST(AdoptionTest, AFirstStartIsNeverHeld) {
    Adoption adoption;
    EXPECT_EQ(adoption.state(), State::fresh);
    EXPECT_THAT(adoption.source_read(false), IsEmpty());
    EXPECT_EQ(adoption.state(), State::fresh);
    EXPECT_FALSE(adoption.holds_back(gone("a"), true));
    EXPECT_FALSE(adoption.planned()) << "no maps were taken over, so no entry is unclaimed";
    EXPECT_EQ(adoption.state(), State::settled);
}

TEST(AdoptionTest, ACleanSourceSettlesItOnce) {
    Adoption adoption;
    adoption.adopted();
    EXPECT_EQ(adoption.state(), State::adopting);
    adoption.source_read(true);
    EXPECT_EQ(adoption.state(), State::adopting);
    EXPECT_TRUE(adoption.planned()) << "the agent removes the unclaimed entries";
    EXPECT_EQ(adoption.state(), State::settled);
    EXPECT_FALSE(adoption.planned());
}

TEST(AdoptionTest, IsHeldUntilTheSourceIsClean) {
    Adoption adoption;
    adoption.adopted();
    adoption.source_read(false);
    EXPECT_TRUE(adoption.is_held());
    EXPECT_FALSE(adoption.planned());
    EXPECT_TRUE(adoption.is_held()) << "a plan does not end this state";
    adoption.source_read(false);
    EXPECT_TRUE(adoption.is_held());
    adoption.source_read(true);
    EXPECT_FALSE(adoption.is_held());
    EXPECT_TRUE(adoption.planned());
}

TEST(AdoptionTest, IsNotHeldAgainOnceItIsSettled) {
    Adoption adoption;
    adoption.adopted();
    adoption.source_read(true);
    adoption.planned();
    adoption.source_read(false);
    EXPECT_EQ(adoption.state(), State::settled);
    EXPECT_FALSE(adoption.holds_back(gone("a"), true));
}

TEST(AdoptionTest, HoldsBackPlansThatTakeEverythingFromAService) {
    Adoption adoption;
    adoption.adopted();
    adoption.source_read(false);
    EXPECT_TRUE(adoption.holds_back(gone("a"), true));
    EXPECT_TRUE(adoption.holds_back(plan_of("b", {}), true)) << "it would lose its last endpoints";
    EXPECT_FALSE(adoption.holds_back(plan_of("c", {"10.0.0.1"}), true)) << "it has endpoints";
    EXPECT_FALSE(adoption.holds_back(plan_of("d", {}), false)) << "the maps have nothing of it";
    EXPECT_THAT(adoption.source_read(false), IsEmpty());
    EXPECT_THAT(adoption.source_read(true), ElementsAre(name_a, model::ObjectName{.name_space = "ns", .name = "b"}));
    EXPECT_THAT(adoption.source_read(true), IsEmpty());
}

TEST(AdoptionTest, AttachesOnceTheMapsAreFilled) {
    Adoption adoption;
    EXPECT_FALSE(adoption.may_attach());
    adoption.planned();
    EXPECT_FALSE(adoption.may_attach()) << "planned, but not written";
    EXPECT_TRUE(adoption.written());
    EXPECT_TRUE(adoption.may_attach());
    EXPECT_FALSE(adoption.written()) << "only the first time";
}

TEST(AdoptionTest, AttachesWhileItIsHeld) {
    Adoption adoption;
    adoption.adopted();
    adoption.source_read(false);
    EXPECT_FALSE(adoption.may_attach());
    adoption.planned();
    EXPECT_TRUE(adoption.written());
    EXPECT_TRUE(adoption.may_attach());
}

}  // namespace
}  // namespace weir::agent
