// SPDX-License-Identifier: Apache-2.0
// A problem is logged once, and shown as long as it lasts.
#include "loader/agent/problems.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent_log.hpp"

namespace weir::agent {
namespace {

using Area = Problems::Area;
using model::Severity;

class ProblemsTest : public testing::Test {
protected:
    std::string shown() const { return boost::json::serialize(to_json(problems.in_force())); }

    test::Log log;
    Problems problems;
};

TEST_F(ProblemsTest, LogsAProblemOnceAsLongAsItLasts) {
    problems.note(Area::service, {problem(Severity::error, "bad")}, "ns/a");
    EXPECT_EQ(log.take(), "error: bad\n");
    problems.note(Area::service, {problem(Severity::error, "bad"), problem(Severity::warning, "odd")}, "ns/a");
    EXPECT_EQ(log.take(), "warning: odd\n");
    problems.note(Area::service, {}, "ns/a");
    EXPECT_EQ(shown(), "[]");
    EXPECT_EQ(log.take(), "");
    problems.note(Area::service, {problem(Severity::error, "bad")}, "ns/a");
    EXPECT_EQ(log.take(), "error: bad\n") << "it was gone and is back";
}

TEST_F(ProblemsTest, LogsWhatIsSaidTwiceAtOnceOnce) {
    problems.note(Area::source, {problem(Severity::error, "bad"), problem(Severity::error, "bad")});
    EXPECT_EQ(log.take(), "error: bad\n");
}

TEST_F(ProblemsTest, KeepsServicesApart) {
    problems.note(Area::service, {problem(Severity::error, "bad")}, "ns/a");
    problems.note(Area::service, {problem(Severity::error, "bad")}, "ns/b");
    EXPECT_EQ(log.take(), "error: bad\nerror: bad\n");
    problems.note(Area::service, {}, "ns/a");
    EXPECT_EQ(problems.in_force().size(), 1u);
}

TEST_F(ProblemsTest, ShowsTheSourceFirstThenServicesByNameThenHealth) {
    problems.note(Area::health, {problem(Severity::warning, "health")});
    problems.note(Area::service, {problem(Severity::error, "b")}, "ns/b");
    problems.note(Area::service, {problem(Severity::error, "a")}, "ns/a");
    problems.note(Area::source, {{.severity = Severity::error, .object = "Service ns/x", .what = "is wrong"}});
    EXPECT_EQ(shown(), R"([{"severity":"error","message":"Service ns/x: is wrong"},{"severity":"error","message":"a"},)"
                       R"({"severity":"error","message":"b"},{"severity":"warning","message":"health"}])");
}

TEST_F(ProblemsTest, IsNewsOnlyTheFirstTime) {
    EXPECT_TRUE(problems.is_news("missing eth7"));
    EXPECT_FALSE(problems.is_news("missing eth7"));
    EXPECT_TRUE(problems.is_news("missing eth8"));
}

}  // namespace
}  // namespace weir::agent
