// SPDX-License-Identifier: Apache-2.0
// Messages about SNAT ports: the agent logs each only once.
#include "loader/agent/snat_watch.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::agent {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Level = SnatWatch::Level;

abi::address ipv4(std::uint8_t last) {
    abi::address address{};
    address.bytes[10] = address.bytes[11] = 0xff;
    address.bytes[12] = 10;
    address.bytes[15] = last;
    return address;
}

view::SnatUse use(std::uint16_t port, std::uint32_t kept, std::uint8_t source = 1) {
    view::SnatUse use;
    use.pool = {ipv4(source), {ipv4(7), htons(port), IPPROTO_TCP}};
    use.kept = kept;
    return use;
}

auto line(Level level, const std::string& part) {
    return testing::AllOf(testing::Field(&SnatWatch::Line::level, level),
                          testing::Field(&SnatWatch::Line::text, HasSubstr(part)));
}

class SnatWatchTest : public testing::Test {
protected:
    std::vector<SnatWatch::Line> look(const std::vector<view::SnatUse>& uses, std::uint64_t drops = 1000) {
        now += 5s;
        return watch.look(uses, drops, now);
    }
    // Looks until this much time has passed and returns the logged lines.
    std::vector<SnatWatch::Line> look_for(std::chrono::seconds time, const std::vector<view::SnatUse>& uses,
                                          std::uint64_t drops = 1000) {
        std::vector<SnatWatch::Line> lines;
        for (auto end = now + time; now < end;) std::ranges::move(look(uses, drops), std::back_inserter(lines));
        return lines;
    }

    std::set<std::uint16_t> gone;  // ports of endpoints that no backend in use has
    SnatWatch::Time now{};
    SnatWatch watch{{61000, 61099}, 1000, [this](const std::set<view::SnatEndpoint>& endpoints) {
                        SnatWatch::Owners owners;
                        for (const auto& endpoint : endpoints)
                            if (auto port = ntohs(endpoint.port_be); !gone.contains(port))
                                owners[endpoint] = "shop/web:" + std::to_string(port);
                        return owners;
                    }};
};

TEST_F(SnatWatchTest, QuietWhereLittleIsUsed) {
    EXPECT_THAT(look({}), IsEmpty());
    EXPECT_THAT(look({use(80, 79)}), IsEmpty());
    EXPECT_THAT(watch.problems(), IsEmpty());
}

TEST_F(SnatWatchTest, WarnsOncePerPoolAboveTheMark) {
    EXPECT_THAT(look({use(80, 80), use(81, 79)}),
                ElementsAre(line(Level::warning,
                                 "10.0.0.7:80/TCP (shop/web:80), 80 of 100 ports of 10.0.0.1; widen "
                                 "datapath.snatPorts")));
    EXPECT_THAT(look_for(3600s, {use(80, 95), use(81, 79)}), IsEmpty());
    EXPECT_THAT(look({use(80, 95), use(81, 80)}), ElementsAre(line(Level::warning, "10.0.0.7:81/TCP")));
    EXPECT_THAT(look({use(80, 95), use(80, 90, 2), use(81, 80)}), ElementsAre(line(Level::warning, "of 10.0.0.2")))
        << "another address of the node has other ports";
    EXPECT_THAT(watch.problems(), SizeIs(3));
}

TEST_F(SnatWatchTest, UnassuredFlowsTurnNobodyAway) {
    auto flood = use(80, 10);
    flood.yielding = 90;
    EXPECT_THAT(look_for(60s, {flood}), IsEmpty());
}

TEST_F(SnatWatchTest, RecoversBelowAMarkOfItsOwnAndAfterAWhile) {
    look({use(80, 85)});
    EXPECT_THAT(look_for(600s, {use(80, 60)}), IsEmpty());
    for (int i = 0; i < 100; ++i) {
        EXPECT_THAT(look({use(80, 10)}), IsEmpty()) << "swings around the mark give no further line";
        EXPECT_THAT(look({use(80, 90)}), IsEmpty());
    }
    EXPECT_THAT(look_for(25s, {use(80, 59)}), IsEmpty());
    EXPECT_THAT(watch.problems(), SizeIs(1));
    EXPECT_THAT(look({use(80, 59)}), ElementsAre(line(Level::info, "free again: 10.0.0.7:80/TCP")));
    EXPECT_THAT(watch.problems(), IsEmpty());
    EXPECT_THAT(look_for(60s, {}), IsEmpty());
    EXPECT_THAT(look({use(80, 80)}), ElementsAre(line(Level::warning, "10.0.0.7:80/TCP")));
}

TEST_F(SnatWatchTest, ABackendThatComesBackGoesOnWithItsEpisode) {
    look({use(80, 85)});
    gone.insert(80);
    EXPECT_THAT(look_for(60s, {use(80, 85)}), IsEmpty()) << "its connections are still there";
    EXPECT_THAT(look_for(20s, {}), IsEmpty());
    gone.clear();
    EXPECT_THAT(look_for(60s, {use(80, 100)}), IsEmpty());
    EXPECT_THAT(look_for(30s, {}), ElementsAre(line(Level::info, "10.0.0.7:80/TCP")));
}

TEST_F(SnatWatchTest, NobodyIsTurnedAwayFromABackendThatTakesNoNewConnections) {
    gone.insert(80);
    EXPECT_THAT(look_for(60s, {use(80, 100)}), IsEmpty());
    gone.clear();
    EXPECT_THAT(look({use(80, 100)}), SizeIs(1));
}

TEST_F(SnatWatchTest, ManyAtOnceAreANumber) {
    std::vector<view::SnatUse> uses;
    for (std::uint16_t i = 0; i < 1000; ++i) uses.push_back(use(static_cast<std::uint16_t>(1000 + i), 90));
    auto lines = look(uses);
    EXPECT_THAT(lines, SizeIs(6));
    EXPECT_THAT(lines.back(), line(Level::warning, "995 more backends"));
    EXPECT_LE(watch.problems().size(), 6u);
    lines = look_for(30s, {});
    EXPECT_THAT(lines, SizeIs(6));
    EXPECT_THAT(lines.back(), line(Level::info, "995 more backends"));
}

TEST_F(SnatWatchTest, DropsOfAnEarlierAgentAreNoNews) {
    EXPECT_THAT(look({}, 1000), IsEmpty());
    EXPECT_THAT(look({}, 1001), ElementsAre(line(Level::error, "1 packets")));
}

TEST_F(SnatWatchTest, DropsAreReportedOnceWithTheBackendMostUsed) {
    look({use(80, 90)});
    EXPECT_THAT(look({use(80, 100)}, 1004),
                ElementsAre(line(Level::error, "4 packets); most used: 10.0.0.7:80/TCP (shop/web:80), 100 of 100")));
    for (std::uint64_t drops = 1005; drops < 1050; ++drops) EXPECT_THAT(look({use(80, 100)}, drops), IsEmpty());
    EXPECT_THAT(watch.problems(), SizeIs(2));
    EXPECT_THAT(look_for(30s, {use(80, 10)}, 1050), ElementsAre(line(Level::info, "free again")));
    EXPECT_THAT(look_for(5s, {use(80, 10)}, 1050), ElementsAre(line(Level::info, "50 packets were dropped")));
    EXPECT_THAT(watch.problems(), IsEmpty());
    EXPECT_THAT(look({use(80, 10)}, 1051), ElementsAre(line(Level::error, "1 packets")));
}

TEST_F(SnatWatchTest, WhilePortsAreScarceDropsMustBeOverForLonger) {
    look({use(80, 100)});
    look({use(80, 100)}, 1005);
    EXPECT_THAT(look_for(295s, {use(80, 95)}, 1005), IsEmpty());
    EXPECT_THAT(look({use(80, 95)}, 1006), IsEmpty()) << "a drop now and then belongs to the same episode";
    EXPECT_THAT(look_for(295s, {use(80, 95)}, 1006), IsEmpty());
    EXPECT_THAT(look({use(80, 95)}, 1006), ElementsAre(line(Level::info, "6 packets were dropped")));
    EXPECT_THAT(watch.problems(), SizeIs(1)) << "the backend is still above its mark";
}

}  // namespace
}  // namespace weir::agent
