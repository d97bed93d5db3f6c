// SPDX-License-Identifier: Apache-2.0
// A frontend's address answers ping as a host does. The datapath drops other ICMP messages to it.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

constexpr int echo(int family) {
    return family == 4 ? 8 : 128;
}

constexpr int echo_reply(int family) {
    return family == 4 ? 0 : 129;
}

class Ping : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({remote}).frontend(frontend); }

    Packet ask(std::size_t octets = 56) const {
        return Packet::icmp(at.client, at.vip, echo(world.family()), 0, 0x12340001).payload(octets);
    }
    Frame reply(std::size_t octets = 56) const {
        Frame frame =
            Packet::icmp(at.vip, at.client, echo_reply(world.family()), 0, 0x12340001).payload(octets).frame();
        std::copy(default_source_mac.begin(), default_source_mac.end(), frame.begin());
        std::copy(default_destination_mac.begin(), default_destination_mac.end(), frame.begin() + 6);
        return frame;
    }
    void at_uplink(const Frame& sent, abi::verdict verdict, int action) {
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, action);
        EXPECT_EQ(out.frame, sent);
    }
};

TEST_P(Ping, IsAnsweredOctetByOctet) {
    for (std::size_t octets : {0, 1, 56, 57, 1400})
        for (int ttl : {1, 64, 255}) {
            Frame sent = ask(octets).ttl(static_cast<std::uint8_t>(ttl)).frame();
            Outcome out = world.arrive(sent);
            EXPECT_EQ(out.verdict, abi::VERDICT_ECHO_REPLY);
            EXPECT_EQ(out.action, world.send_back());
            EXPECT_EQ(out.frame, reply(octets));
            EXPECT_TRUE(checksums_right(out.frame));
            out = world.leave_pod(sent);
            EXPECT_EQ(out.action, tc_redirect);
            EXPECT_EQ(out.frame, reply(octets));
        }
}

TEST_P(Ping, HeadersInFrontStay) {
    Frame sent = world.family() == 4 ? ask().ipv4_options(3).frame() : ask().extension(IPPROTO_DSTOPTS, 2).frame();
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_ECHO_REPLY);
    EXPECT_TRUE(checksums_right(out.frame));
    EXPECT_EQ(read_icmp(out.frame).type, echo_reply(world.family()));
}

TEST_P(Ping, ADamagedOneIsNotRepaired) {
    Frame sent = ask().frame();
    sent.back() ^= 0xff;
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_ECHO_REPLY);
    EXPECT_FALSE(checksums_right(out.frame));
}

TEST_P(Ping, OneThatEndsWithinItsHeaderIsLeftAlone) {
    Frame sent = ask(0).frame();
    for (int length = 0; length < 8; ++length) {
        if (world.family() == 4)
            sent[17] = static_cast<std::uint8_t>(20 + length);
        else
            sent[19] = static_cast<std::uint8_t>(length);
        at_uplink(sent, abi::VERDICT_PASS_MALFORMED, world.pass());
    }
}

TEST_P(Ping, OfTheNodesOwnAddressIsTheHostStacksBusiness) {
    world.tables.set_vip(at.vip, abi::VIP_OF_NODE);
    at_uplink(ask().frame(), abi::VERDICT_PASS_PROTOCOL, world.pass());
}

TEST_P(Ping, OfAClosedAddressIsAnsweredWithinTheClusterOnly) {
    world.tables.set_vip(at.vip, abi::VIP_CLOSED_OUTSIDE);
    at_uplink(ask().frame(), abi::VERDICT_DROP_CLOSED_FRONTEND, world.drop());
    EXPECT_EQ(world.leave_pod(ask()).frame, reply());
}

TEST_P(Ping, AtEgressIsSomebodyElses) {
    Frame sent = ask().frame();
    Outcome out = world.egress(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_PASS_PROTOCOL);
    EXPECT_EQ(out.frame, sent);
}

TEST_P(Ping, WithoutAnIdentityGetsNothing) {
    auto source = world.family() == 4 ? "255.255.255.255" : "ff02::1";
    at_uplink(Packet::icmp(address(source), at.vip, echo(world.family())).frame(), abi::VERDICT_DROP_NO_ANSWER,
              world.drop());
}

TEST_P(Ping, OtherMessagesAndProtocolsGoNoFurther) {
    for (int type : world.family() == 4 ? std::vector{0, 5, 13, 30} : std::vector{129, 130, 132, 138, 200})
        at_uplink(Packet::icmp(at.client, at.vip, type).payload(64).frame(), abi::VERDICT_DROP_VIP_PROTOCOL,
                  world.drop());
    for (int protocol : {int{IPPROTO_GRE}, int{IPPROTO_ESP}, int{IPPROTO_IPIP}, int{IPPROTO_IPV6}, 255})
        at_uplink(Packet::of({client, frontend, static_cast<std::uint8_t>(protocol)}).payload(64).frame(),
                  abi::VERDICT_DROP_VIP_PROTOCOL, world.drop());
}

TEST_P(Ping, InFragmentsGoesNoFurther) {
    for (const Frame& fragment : cut(ask(1000).frame(), 504, 9))
        at_uplink(fragment, abi::VERDICT_DROP_VIP_PROTOCOL, world.drop());
}

TEST_P(Ping, AnErrorThatNobodyCanReadGoesNoFurther) {
    auto about = [&](const Packet& quoted) {
        return Packet::icmp(at.client, at.vip, world.family() == 4 ? 3 : 1).payload(quotation(quoted.frame(), 8));
    };
    // Errors that quote nothing, quote no flow, or quote a packet whose source is not the error's destination.
    at_uplink(Packet::icmp(at.client, at.vip, world.family() == 4 ? 3 : 1).frame(), abi::VERDICT_DROP_VIP_PROTOCOL,
              world.drop());
    at_uplink(about(Packet::tcp(frontend, client)).frame(), abi::VERDICT_DROP_VIP_PROTOCOL, world.drop());
    at_uplink(about(Packet::tcp(remote, client)).frame(), abi::VERDICT_DROP_VIP_PROTOCOL, world.drop());
}

const std::vector<Case> hooks = each_hook_of(IPPROTO_TCP);

INSTANTIATE_TEST_SUITE_P(, Ping, testing::ValuesIn(hooks), case_name);

class PingIPv6 : public Ping {};

TEST_P(PingIPv6, NeighbourDiscoveryPasses) {
    for (int type = 133; type <= 137; ++type)
        at_uplink(Packet::icmp(at.client, at.vip, type).payload(24).ttl(255).frame(), abi::VERDICT_PASS_PROTOCOL,
                  world.pass());
}

INSTANTIATE_TEST_SUITE_P(, PingIPv6, testing::ValuesIn(only(hooks, is_v6)), case_name);

}  // namespace
}  // namespace weir::test
