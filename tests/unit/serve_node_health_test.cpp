// SPDX-License-Identifier: Apache-2.0
// The answers of /healthz and /livez by the state of the agent and of the node.
#include "loader/serve/node_health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "loader/serve/programming.hpp"
#include "tests/unit/serve_client.hpp"

namespace weir::serve::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

struct Case {
    std::string name;
    NodeState state;
    unsigned healthz;
    unsigned livez;
};

class NodeAnswers : public testing::TestWithParam<Case> {};

TEST_P(NodeAnswers, Statuses) {
    const auto& c = GetParam();
    auto now = std::chrono::system_clock::now();
    EXPECT_EQ(static_cast<unsigned>(NodeHealth::answer("/healthz", c.state, now).status), c.healthz);
    EXPECT_EQ(static_cast<unsigned>(NodeHealth::answer("/livez", c.state, now).status), c.livez);
    EXPECT_EQ(static_cast<unsigned>(NodeHealth::answer("/", c.state, now).status), 404u);
    EXPECT_EQ(static_cast<unsigned>(NodeHealth::answer("/healthz/x", c.state, now).status), 404u);
}

INSTANTIATE_TEST_SUITE_P(
    All, NodeAnswers,
    testing::Values(
        Case{"good", {.current = true, .live = true, .to_be_deleted = false, .last_written = {}}, 200, 200},
        Case{"starting", {.current = false, .live = true, .to_be_deleted = false, .last_written = {}}, 503, 200},
        Case{"leaving", {.current = true, .live = true, .to_be_deleted = true, .last_written = {}}, 503, 200},
        Case{"stale", {.current = false, .live = false, .to_be_deleted = false, .last_written = {}}, 503, 503}),
    [](const auto& info) { return info.param.name; });

TEST(NodeHealth, TellsTheTimes) {
    std::chrono::system_clock::time_point written{1700000000s + 5us};
    auto now = written + 90s;
    NodeState state{.current = true, .live = true, .to_be_deleted = false, .last_written = written};
    EXPECT_EQ(NodeHealth::answer("/healthz", state, now).body,
              R"({"lastUpdated":"2023-11-14T22:14:50.000005Z","currentTime":"2023-11-14T22:14:50.000005Z",)"
              R"("nodeEligible":true})");
    state.to_be_deleted = true;
    EXPECT_EQ(NodeHealth::answer("/healthz", state, now).body,
              R"({"lastUpdated":"2023-11-14T22:13:20.000005Z","currentTime":"2023-11-14T22:14:50.000005Z",)"
              R"("nodeEligible":false})");
    state = {};
    EXPECT_THAT(NodeHealth::answer("/livez", state, now).body, HasSubstr(R"("lastUpdated":"","currentTime")"));
}

TEST(Programming, IsCurrentOnceTheMapsAreWritten) {
    Programming programming(60s);
    Programming::Time start{};
    EXPECT_TRUE(programming.is_live(start));
    EXPECT_FALSE(programming.is_current(start));
    programming.queued(start);
    EXPECT_FALSE(programming.is_current(start + 1s));
    programming.written();
    EXPECT_TRUE(programming.is_current(start + 2s));
    // An agent with nothing to write stays current.
    EXPECT_TRUE(programming.is_current(start + 24h));
}

TEST(Programming, IsStaleWhenTheOldestChangeHasWaitedTooLong) {
    Programming programming(60s);
    Programming::Time start{};
    programming.written();
    programming.queued(start + 10s);
    programming.queued(start + 60s);
    EXPECT_TRUE(programming.is_current(start + 69s));
    EXPECT_FALSE(programming.is_current(start + 70s));
    EXPECT_FALSE(programming.is_live(start + 70s));
    programming.written();
    EXPECT_TRUE(programming.is_current(start + 80s));
}

class NodeHealthServer : public testing::Test {
protected:
    NodeHealthServer() {
        loop_.run([&] {
            health_.emplace(
                loop_.io(), [this] { return state_; }, [] {});
        });
    }
    ~NodeHealthServer() override {
        loop_.run([&] { health_.reset(); });
    }

    Loop loop_;
    NodeState state_{.current = true, .live = true, .to_be_deleted = false, .last_written = {}};
    std::optional<NodeHealth> health_;
    std::uint16_t port_ = free_port();
};

TEST_F(NodeHealthServer, AnswersInBothFamilies) {
    loop_.run([&] { health_->listen({{address("0.0.0.0"), port_}, {address("::"), port_}}); });
    for (const auto* host : {"127.0.0.1", "::1"}) {
        EXPECT_EQ(Client(port_, host).get("/healthz").result_int(), 200) << host;
        EXPECT_EQ(Client(port_, host).get("/livez").result_int(), 200) << host;
        EXPECT_EQ(Client(port_, host).get("/metrics").result_int(), 404) << host;
    }
    EXPECT_THAT(loop_.run([&] { return health_->problems(); }), IsEmpty());
}

TEST_F(NodeHealthServer, FollowsTheState) {
    loop_.run([&] { health_->listen({{address("127.0.0.1"), port_}}); });
    Client client(port_);
    EXPECT_EQ(client.get("/healthz").result_int(), 200);
    loop_.run([&] { state_.to_be_deleted = true; });
    EXPECT_EQ(client.get("/healthz").result_int(), 503);
    EXPECT_EQ(client.get("/livez").result_int(), 200);
}

TEST_F(NodeHealthServer, SaysWhatKeepsItFromAnswering) {
    asio::io_context io;
    asio::ip::tcp::acceptor other(io, {asio::ip::make_address("127.0.0.1"), 0});
    auto port = other.local_endpoint().port();
    auto problems = loop_.run([&] {
        health_->listen({{address("127.0.0.1"), port}});
        return health_->problems();
    });
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_THAT(problems[0].to_string(), AllOf(HasSubstr("healthzAddress 127.0.0.1:" + std::to_string(port)),
                                               HasSubstr("Address already in use"), HasSubstr("\"off\"")));
}

}  // namespace
}  // namespace weir::serve::test
