// SPDX-License-Identifier: Apache-2.0
// Headers that lie and packets that end early: the programs never modify them, whether their flow is known or not.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Hostile : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({remote}).frontend(frontend); }

    static void put16(Frame& frame, std::size_t at, std::size_t value) {
        frame.at(at) = static_cast<std::uint8_t>(value >> 8);
        frame.at(at + 1) = static_cast<std::uint8_t>(value);
    }
    bool v4() const { return world.family() == 4; }

    void untouched(const Frame& frame, abi::verdict verdict = abi::VERDICT_PASS_MALFORMED) {
        Outcome out = world.arrive(frame);
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, world.pass());
        EXPECT_EQ(out.frame, frame);
    }

    // Runs the frames first without a flow, then with a known one.
    void untouched_either_way(const std::vector<Frame>& frames) {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            SCOPED_TRACE("frame " + std::to_string(i) + ", no flow");
            untouched(frames[i]);
        }
        EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 0u);
        world.establish(client, frontend);
        for (std::size_t i = 0; i < frames.size(); ++i) {
            SCOPED_TRACE("frame " + std::to_string(i) + ", known flow");
            untouched(frames[i]);
        }
    }
};

TEST_P(Hostile, EveryPrefixOfAPacketIsPassedUntouched) {
    std::vector<Frame> whole = {world.packet(client, frontend).payload(20).frame()};
    if (v4()) {
        whole.push_back(world.packet(client, frontend).ipv4_options(10).frame());
    } else {
        whole.push_back(
            world.packet(client, frontend).extension(IPPROTO_HOPOPTS).extension(IPPROTO_DSTOPTS, 3).frame());
    }
    std::vector<Frame> prefixes;
    for (const Frame& frame : whole)
        for (auto length = Datapath::shortest_frame(GetParam().hook, frame); length < frame.size(); ++length)
            prefixes.emplace_back(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
    untouched_either_way(prefixes);
    for (const Frame& frame : whole) EXPECT_EQ(world.arrive(frame).verdict, abi::VERDICT_FORWARD);
}

TEST_P(Hostile, AnotherVersionThanTheEtherTypeSays) {
    std::vector<Frame> frames;
    for (int version = 0; version < 16; ++version) {
        if (version == world.family()) continue;
        frames.push_back(world.packet(client, frontend).frame());
        frames.back()[14] = static_cast<std::uint8_t>(version << 4 | (frames.back()[14] & 0x0f));
    }
    untouched_either_way(frames);
}

TEST_P(Hostile, ALengthThatTheFrameDoesNotHave) {
    Frame whole = world.packet(client, frontend).payload(20).frame();
    std::size_t field = v4() ? 16 : 18, true_length = whole.size() - (v4() ? 14 : 54);
    std::vector<Frame> frames;
    for (std::size_t length : {true_length + 1, true_length + 100, std::size_t{65535}}) {
        frames.push_back(whole);
        put16(frames.back(), field, length);
    }
    untouched_either_way(frames);
}

TEST_P(Hostile, ALengthThatEndsBeforeTheTransportHeaderDoes) {
    Frame whole = world.packet(client, frontend).payload(20).frame();
    std::size_t field = v4() ? 16 : 18, ip_header = v4() ? 20 : 0, l4_header = world.tcp() ? 20 : 8;
    std::vector<Frame> frames;
    for (std::size_t length = 0; length < ip_header + l4_header; ++length) {
        frames.push_back(whole);
        put16(frames.back(), field, length);
    }
    untouched_either_way(frames);
}

INSTANTIATE_TEST_SUITE_P(, Hostile, testing::ValuesIn(each_hook()), case_name);

class HostileIPv4 : public Hostile {};

TEST_P(HostileIPv4, AHeaderShorterThanItsMinimumOrLongerThanThePacket) {
    std::vector<Frame> frames;
    for (int words : {0, 1, 4, 14, 15}) {
        frames.push_back(world.packet(client, frontend).payload(std::size_t{0}).frame());
        frames.back()[14] = static_cast<std::uint8_t>(0x40 | words);
    }
    untouched_either_way(frames);
}

INSTANTIATE_TEST_SUITE_P(, HostileIPv4, testing::ValuesIn(only(each_hook(), is_v4)), case_name);

}  // namespace
}  // namespace weir::test
