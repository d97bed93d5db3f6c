// SPDX-License-Identifier: Apache-2.0
// When the flow tables are swept, given the events and the time.
#include "loader/agent/sweep_schedule.hpp"

#include <gtest/gtest.h>

namespace weir::agent {
namespace {

using namespace std::chrono_literals;

class SweepScheduleTest : public testing::Test {
protected:
    SweepScheduleTest() { schedule.begin(start); }

    SweepSchedule::Time start{100s};
    SweepSchedule schedule;
};

TEST_F(SweepScheduleTest, SweepsOnceAPeriod) {
    EXPECT_EQ(schedule.next(), start + 5s);
    EXPECT_FALSE(schedule.due(start + 4999ms));
    EXPECT_TRUE(schedule.due(start + 5s));
    EXPECT_FALSE(schedule.due(start + 5s));
    EXPECT_EQ(schedule.next(), start + 10s);
}

TEST_F(SweepScheduleTest, CountsThePeriodFromASweepThatWasLate) {
    EXPECT_TRUE(schedule.due(start + 7s));
    EXPECT_EQ(schedule.next(), start + 12s);
}

TEST_F(SweepScheduleTest, SweepsAtOnceWhereDatagramBackendsHaveGone) {
    EXPECT_TRUE(schedule.removed(Removal::datagrams, false, start + 1s));
    EXPECT_TRUE(schedule.removed(Removal::datagrams, true, start + 1s));
    EXPECT_EQ(schedule.next(), start + 5s) << "the periodic sweeps go on as they were";
}

TEST_F(SweepScheduleTest, WaitsForThePeriodWhereOnlyStreamBackendsHaveGone) {
    EXPECT_FALSE(schedule.removed(Removal::streams, false, start + 1s));
    EXPECT_EQ(schedule.next(), start + 5s);
}

TEST_F(SweepScheduleTest, SweepsSoonerWhereRoomIsShort) {
    EXPECT_FALSE(schedule.removed(Removal::streams, true, start + 1s));
    EXPECT_EQ(schedule.next(), start + 1500ms);
    EXPECT_FALSE(schedule.removed(Removal::streams, true, start + 1400ms));
    EXPECT_EQ(schedule.next(), start + 1500ms) << "a series of changes does not put it off";
    EXPECT_TRUE(schedule.due(start + 1500ms));
    EXPECT_EQ(schedule.next(), start + 6500ms);
}

TEST_F(SweepScheduleTest, DoesNotPutOffASweepThatIsNearer) {
    EXPECT_FALSE(schedule.removed(Removal::streams, true, start + 4800ms));
    EXPECT_EQ(schedule.next(), start + 5s);
}

TEST_F(SweepScheduleTest, IsNotMovedWhereNothingHasGone) {
    EXPECT_FALSE(schedule.removed(Removal::nothing, true, start + 1s));
    EXPECT_EQ(schedule.next(), start + 5s);
}

}  // namespace
}  // namespace weir::agent
