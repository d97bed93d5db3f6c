// SPDX-License-Identifier: Apache-2.0
// The answers to refused packets, octet by octet, and the packets that get none.
#include <sched.h>

#include <functional>

#include "tests/bpf/answer.hpp"
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Answers : public DatapathTest {
protected:
    void SetUp() override {
        world.service().frontend(frontend, {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT});
    }

    // Sends the frame on the uplink and from a pod.
    void sends_back(const Frame& sent, const std::function<testing::AssertionResult(const Frame&)>& right) {
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_REJECT_NO_BACKEND);
        EXPECT_EQ(out.action, world.send_back());
        EXPECT_TRUE(right(out.frame));
        out = world.leave_pod(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_REJECT_NO_BACKEND);
        EXPECT_EQ(out.action, tc_redirect);
        EXPECT_TRUE(right(out.frame));
    }
    void unreachable(const Frame& sent) {
        sends_back(sent, [&](const Frame& answer) {
            return is_error_about(answer, sent, IcmpError::port_unreachable(world.family()), at.vip);
        });
    }
    void resets(const Frame& sent) {
        sends_back(sent, [&](const Frame& answer) { return is_rst_about(answer, sent); });
    }
    void silent(const Frame& sent) {
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_DROP_NO_ANSWER);
        EXPECT_EQ(out.action, world.drop());
        EXPECT_EQ(world.leave_pod(sent).action, tc_shot);
    }
};

TEST_P(Answers, SourcesThatAreNoSingleHostGetNothing) {
    std::vector<std::string> sources = {"::", "::1", "ff02::1", "ff0e::1"};
    if (world.family() == 4) sources = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"};
    for (const std::string& source : sources) {
        SCOPED_TRACE(source);
        silent(world.packet({address(source), 40000}, frontend, syn).frame());
    }
}

TEST_P(Answers, WhatCameToAllTheLinkGetsNothing) {
    Frame sent = world.packet(client, frontend, syn).frame();
    for (std::uint8_t first : {0x01, 0x33, 0xff}) {
        sent[0] = first;
        silent(sent);
    }
}

TEST_P(Answers, HeadersInFrontAreQuotedToo) {
    if (world.family() == 4) {
        for (std::size_t words : {1, 3, 10}) unreachable(world.packet(client, frontend).ipv4_options(words).frame());
        return;
    }
    for (std::uint8_t type : {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT})
        unreachable(world.packet(client, frontend).extension(type).frame());
    unreachable(world.packet(client, frontend).extension(IPPROTO_HOPOPTS, 2).extension(IPPROTO_DSTOPTS, 3).frame());
}

TEST_P(Answers, AFirstFragmentIsAnsweredAndLaterOnesAreNot) {
    auto fragments = cut(world.packet(client, frontend).payload(100).frame(), 48, 7);
    unreachable(fragments[0]);
    for (std::size_t i : {1u, 2u}) EXPECT_EQ(world.arrive(fragments[i]).verdict, abi::VERDICT_DROP_VIP_PROTOCOL);
}

TEST_P(Answers, AnswersAreLimited) {
    // Each CPU has its own budget, so this thread stays on one CPU.
    cpu_set_t before, here;
    sched_getaffinity(0, sizeof(before), &before);
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &here);
    sched_setaffinity(0, sizeof(here), &here);
    Frame sent = world.packet(client, frontend, syn).frame();
    std::uint32_t begin = now_ticks();
    std::uint64_t dropped = 0, answered = 0;
    for (int i = 0; i < 50'000 && dropped < 1000; ++i) {
        int action = world.datapath.run_uncounted(GetParam().hook, sent, world.devices.uplink).action;
        ++(action == world.drop() ? dropped : answered);
    }
    std::uint32_t passed = now_ticks() - begin + 1;
    VerdictCounts counts = world.datapath.verdicts();
    EXPECT_EQ(counts[abi::VERDICT_DROP_ANSWER_LIMIT].packets, dropped);
    EXPECT_EQ(counts[abi::VERDICT_REJECT_NO_BACKEND].packets, answered);
    EXPECT_EQ(dropped, 1000u);
    EXPECT_GE(answered, 256u);
    EXPECT_LE(answered, 256u * (passed + 1));
    // A tick later the datapath answers again.
    int action = world.drop();
    for (std::uint32_t now = now_ticks(); action == world.drop() && now_ticks() - now < ticks(10);)
        action = world.datapath.run_uncounted(GetParam().hook, sent, world.devices.uplink).action;
    EXPECT_EQ(action, world.send_back());
    sched_setaffinity(0, sizeof(before), &before);
}

const std::vector<Case> every_case = each_hook() + each_hook_of(IPPROTO_SCTP);

INSTANTIATE_TEST_SUITE_P(, Answers, testing::ValuesIn(every_case), case_name);

class AnswersIPv6 : public Answers {};

TEST_P(AnswersIPv6, AChainOfHeadersTooLongToQuoteIsQuotedAsFarAsItGoes) {
    Frame sent = world.packet(client, frontend).extension(IPPROTO_DSTOPTS, 20).frame();
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_REJECT_NO_BACKEND);
    EXPECT_TRUE(checksums_right(out.frame));
    Frame quoted = read_icmp(out.frame).body;
    EXPECT_EQ(quoted, Frame(sent.begin() + 14, sent.begin() + 14 + static_cast<std::ptrdiff_t>(quoted.size())));
}

INSTANTIATE_TEST_SUITE_P(, AnswersIPv6, testing::ValuesIn(only(every_case, is_v6)), case_name);

class AnswersTcp : public Answers {};

TEST_P(AnswersTcp, TheRstsNumbersFollowTheSegment) {
    for (int flags : {syn + 0, syn | psh, fin + 0, syn | fin, psh + 0, 0, ack + 0, ack | psh, fin | ack, syn | ack})
        for (std::size_t octets : {0, 1, 33, 1200})
            for (std::uint32_t number : {0u, 1u, 0x7fffffffu, 0xffffffffu}) {
                SCOPED_TRACE(testing::Message() << "flags " << flags << " octets " << octets << " number " << number);
                resets(Packet::tcp(client, frontend, flags).numbers(number, ~number).payload(octets).frame());
            }
}

TEST_P(AnswersTcp, EthernetPaddingIsNoData) {
    resets(Packet::tcp(client, frontend, syn).trailer(6).frame());
}

TEST_P(AnswersTcp, TcpOptionsAreNoData) {
    Frame sent = Packet::tcp(client, frontend, syn).payload(20).frame();
    std::size_t l4 = read(sent).l4_offset;
    sent[l4 + 12] = 0xa0;  // 40 octets of header
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_REJECT_NO_BACKEND);
    EXPECT_EQ(read(out.frame).acknowledgement, read(sent).sequence + 1);
    sent[l4 + 12] = 0xf0;  // more than there is
    silent(sent);
}

TEST_P(AnswersTcp, NothingIsSentInAnswerToARst) {
    for (int flags : {rst + 0, rst | ack, rst | syn, rst | fin | ack})
        silent(Packet::tcp(client, frontend, flags).frame());
    silent(world.family() == 4 ? Packet::tcp(client, frontend, rst).ipv4_options(2).frame()
                               : Packet::tcp(client, frontend, rst).extension(IPPROTO_HOPOPTS).frame());
}

INSTANTIATE_TEST_SUITE_P(, AnswersTcp, testing::ValuesIn(only(every_case, is_tcp)), case_name);

class AnswersOther : public Answers {};

TEST_P(AnswersOther, PortUnreachableQuotesThePacket) {
    for (std::size_t octets : {0, 1, 2, 3, 4, 11, 12, 13, 100, 1400})
        for (std::size_t trailer : {0, 1, 17}) {
            SCOPED_TRACE(testing::Message() << octets << " octets, trailer " << trailer);
            unreachable(world.packet(client, frontend).payload(octets).trailer(trailer).frame());
        }
}

INSTANTIATE_TEST_SUITE_P(, AnswersOther, testing::ValuesIn(only(every_case, [](const Case& c) { return !is_tcp(c); })),
                         case_name);

class AnswersUdpIPv4 : public Answers {};

TEST_P(AnswersUdpIPv4, ADatagramWithoutAChecksumIsQuotedAsItIs) {
    unreachable(world.packet(client, frontend).without_checksum().frame());
}

INSTANTIATE_TEST_SUITE_P(, AnswersUdpIPv4,
                         testing::ValuesIn(only(every_case, [](const Case& c) { return is_udp(c) && is_v4(c); })),
                         case_name);

}  // namespace
}  // namespace weir::test
