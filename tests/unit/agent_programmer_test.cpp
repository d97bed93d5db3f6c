// SPDX-License-Identifier: Apache-2.0
// From plans to maps: when the agent writes, what a failing write changes, and which removals it reports.
#include "loader/agent/programmer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/faulty_writer.hpp"
#include "tests/unit/agent_log.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::agent {
namespace {

using namespace std::chrono_literals;
using plan::test::gone;
using plan::test::plan_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr plan::Capacity large{
    .frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000, .source_ranges = 100};

// Maps in memory that check every state, behind a writer that refuses as many calls as a test wants.
class FakeWriter : public fakes::FaultyWriter {
public:
    explicit FakeWriter(plan::Capacity capacity = large)
        : FaultyWriter(kernel,
                       [this](auto, auto) -> std::optional<std::size_t> {
                           if (spared > 0) return --spared, std::nullopt;
                           if (failures == 0) return std::nullopt;
                           --failures;
                           return 0;
                       }),
          kernel(capacity) {}

    std::expected<plan::MapContents, std::string> read() const override {
        if (!is_readable) return std::unexpected("map frontends: no");
        return FaultyWriter::read();
    }

    std::vector<std::string> services() const {
        std::vector<std::string> names;
        for (const auto& [id, name] : kernel.contents().services) names.emplace_back(name.name);
        return names;
    }

    int spared = 0;  // calls before the first that is refused
    int failures = 0;
    bool is_readable = true;
    plan::test::Kernel kernel;
};

plan::ServicePlan datagrams(plan::ServicePlan plan) {
    for (auto& port : plan.ports) port.protocol = model::Protocol::udp;
    return plan;
}

class ProgrammerTest : public testing::Test {
protected:
    void program(const std::vector<plan::ServicePlan>& plans) {
        for (const auto& plan : plans) programmer.update(plan);
        programmer.sync();
    }

    test::Log log;
    FakeWriter writer;
    Programmer programmer{writer, large};
};

const auto a = plan_of("a", {"10.0.0.1"}, "10.96.0.1");
const auto b = plan_of("b", {"10.0.0.2"}, "10.96.0.2");

TEST_F(ProgrammerTest, WritesAllPlansOfAChangeAtOnce) {
    programmer.update(a);
    programmer.update(b);
    EXPECT_EQ(writer.calls(), 0u);
    programmer.sync();
    EXPECT_EQ(writer.calls(), 5u) << "backends, names, slots, frontends and VIPs of both";
    EXPECT_THAT(writer.services(), ElementsAre("ns/a:http", "ns/b:http"));
    EXPECT_TRUE(programmer.is_written());
    EXPECT_EQ(programmer.rounds(), 1u);
    EXPECT_TRUE(programmer.serves(a.service));
}

TEST_F(ProgrammerTest, WritesNothingWhereNothingHasChanged) {
    program({a});
    auto calls = writer.calls();
    program({a});
    EXPECT_EQ(writer.calls(), calls);
    EXPECT_EQ(programmer.rounds(), 2u) << "a sync without changes counts too";
}

TEST_F(ProgrammerTest, KeepsWhatTheKernelRefusesAndWritesItInOrder) {
    writer.failures = 2;
    program({a});
    EXPECT_FALSE(programmer.is_written());
    EXPECT_EQ(programmer.retry_after(), 1s);
    EXPECT_THAT(programmer.failure(), HasSubstr("a failure that the test wants"));
    EXPECT_THAT(log.take(), HasSubstr("; retrying every second"));
    program({plan_of("a", {"10.0.0.3"}, "10.96.0.1"), b});
    EXPECT_THAT(writer.services(), IsEmpty()) << "a later change builds on the earlier one";
    EXPECT_EQ(log.take(), "") << "it is logged only once";
    programmer.sync();
    EXPECT_EQ(writer.kernel.backends_of("10.96.0.1"), "10.0.0.3:8080");
    EXPECT_TRUE(programmer.is_written());
    EXPECT_EQ(programmer.retry_after(), std::nullopt);
    EXPECT_EQ(programmer.failure(), "");
}

TEST_F(ProgrammerTest, ReportsARemovalWhenItIsWritten) {
    program({a, datagrams(b)});
    EXPECT_EQ(programmer.take_removal(), Removal::nothing);
    writer.failures = 1;
    program({gone("a")});
    EXPECT_EQ(programmer.take_removal(), Removal::nothing) << "the maps still hold it";
    programmer.sync();
    EXPECT_EQ(programmer.take_removal(), Removal::streams);
    EXPECT_EQ(programmer.take_removal(), Removal::nothing) << "a removal is reported once";
}

TEST_F(ProgrammerTest, TellsRemovalsOfDatagramBackendsApart) {
    program({a, datagrams(b)});
    program({gone("b")});
    EXPECT_EQ(programmer.take_removal(), Removal::datagrams) << "its ports were UDP before it lost them";
    program({gone("a")});
    EXPECT_EQ(programmer.take_removal(), Removal::streams);
    program({datagrams(plan_of("c", {"10.0.0.1", "10.0.0.2"}))});
    program({datagrams(plan_of("c", {"10.0.0.1"}))});
    EXPECT_EQ(programmer.take_removal(), Removal::datagrams) << "it lost one of two UDP backends";
}

TEST_F(ProgrammerTest, RemembersThatDatagramsGoWhileTheKernelRefuses) {
    program({a, datagrams(b)});
    writer.failures = 1;
    program({gone("b")});
    program({gone("a")});
    EXPECT_EQ(programmer.take_removal(), Removal::datagrams);
}

TEST_F(ProgrammerTest, RemembersThatDatagramsGoWhileTheKernelRefusesTheSecondBatch) {
    const auto two = plan_of("a", {"10.0.0.1", "10.0.0.4"}, "10.96.0.1");
    program({two, datagrams(b)});
    Programmer next(writer, large);
    ASSERT_TRUE(next.adopt());
    next.update(a);
    next.finish_adoption();
    writer.spared = 4;  // the first batch
    writer.failures = 1;
    next.sync();
    ASSERT_EQ(next.take_removal(), Removal::datagrams) << "the first batch is written, and perhaps took some";
    ASSERT_FALSE(next.is_written()) << "b is still there";
    next.sync();
    EXPECT_EQ(next.take_removal(), Removal::datagrams);
}

TEST_F(ProgrammerTest, TakesOverMapsAndRemovesWhatNoPlanClaims) {
    program({a, b});
    Programmer next(writer, large);
    auto contents = next.adopt();
    ASSERT_TRUE(contents);
    EXPECT_THAT(contents->services, SizeIs(2));
    EXPECT_TRUE(next.serves(b.service));
    auto calls = writer.calls();
    next.update(a);
    next.sync();
    EXPECT_EQ(writer.calls(), calls) << "a has not changed, and a plan may still claim b";
    next.finish_adoption();
    next.sync();
    EXPECT_THAT(writer.services(), ElementsAre("ns/a:http"));
    EXPECT_EQ(next.take_removal(), Removal::datagrams) << "perhaps: its protocol is not known";
}

TEST_F(ProgrammerTest, WritesTheEndOfAnAdoptionAfterThePlans) {
    program({a, b});
    Programmer next(writer, large);
    ASSERT_TRUE(next.adopt());
    next.update(a);
    next.update(plan_of("c", {"10.0.0.2"}, "10.96.0.2"));
    next.finish_adoption();
    next.sync();
    EXPECT_THAT(writer.services(), ElementsAre("ns/a:http", "ns/c:http"));
    EXPECT_EQ(writer.kernel.backends_of("10.96.0.2"), "10.0.0.2:8080") << "the address that c took from b stays";
}

TEST_F(ProgrammerTest, SaysWhyMapsCannotBeTakenOver) {
    writer.is_readable = false;
    auto contents = programmer.adopt();
    ASSERT_FALSE(contents);
    EXPECT_EQ(contents.error(), "map frontends: no");
}

class CrowdedProgrammerTest : public testing::Test {
protected:
    static constexpr plan::Capacity small{
        .frontends = 100, .services = 2, .backends = 100, .slot_lines = 1000, .source_ranges = 100};

    void program(const std::vector<plan::ServicePlan>& plans) {
        for (const auto& plan : plans) programmer.update(plan);
        programmer.sync();
    }

    FakeWriter writer{small};
    Programmer programmer{writer, small};
};

const auto c = plan_of("c", {"10.0.0.3"}, "10.96.0.3");

TEST_F(CrowdedProgrammerTest, SaysWhichServiceFindsNoRoomUntilItFindsSome) {
    program({a, b, c});
    EXPECT_THAT(programmer.problems_of(a.service), IsEmpty());
    ASSERT_THAT(programmer.problems_of(c.service), SizeIs(1));
    EXPECT_THAT(programmer.problems_of(c.service)[0].what, HasSubstr("the map services is full"));
    EXPECT_THAT(programmer.waiting(), IsEmpty()) << "nothing has become free";
    program({gone("a")});
    programmer.grace_period_passed();
    programmer.grace_period_passed();
    EXPECT_THAT(programmer.waiting(), ElementsAre(c.service));
    program({c});
    EXPECT_THAT(programmer.problems_of(c.service), IsEmpty());
    EXPECT_TRUE(programmer.serves(c.service));
}

TEST_F(CrowdedProgrammerTest, GivesNothingOutAgainBeforeItsRemovalIsWritten) {
    program({a, b, c});
    writer.failures = 1;
    program({gone("a")});
    programmer.grace_period_passed();
    programmer.grace_period_passed();
    programmer.sync();
    EXPECT_THAT(programmer.waiting(), IsEmpty());
    programmer.grace_period_passed();
    programmer.grace_period_passed();
    EXPECT_THAT(programmer.waiting(), ElementsAre(c.service));
}

TEST(CrowdedTest, FromThreeQuartersOn) {
    constexpr plan::Capacity four{
        .frontends = 4, .services = 100, .backends = 100, .slot_lines = 1000, .source_ranges = 100};
    FakeWriter writer{four};
    Programmer programmer{writer, four};
    for (const auto& plan : {a, b, c}) programmer.update(plan);
    EXPECT_FALSE(programmer.is_crowded());
    programmer.update(plan_of("d", {"10.0.0.4"}, "10.96.0.4"));
    EXPECT_TRUE(programmer.is_crowded());
}

}  // namespace
}  // namespace weir::agent
