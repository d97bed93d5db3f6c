// SPDX-License-Identifier: Apache-2.0
// ICMP errors about translated packets: the receiver finds its own packet quoted, octet by octet.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

constexpr std::size_t all = 1000;

class IcmpErrors : public DatapathTest {
protected:
    void SetUp() override {
        // SCTP keeps its ports here: its checksum covers them, and an error never quotes it.
        if (world.protocol() == IPPROTO_SCTP) remote.port = frontend.port;
        world.service().backends({remote}).frontend(frontend);
    }
    bool v4() const { return world.family() == 4; }

    struct Kind {
        int type, code;
        std::uint32_t rest;
    };
    // Returns kinds of errors; among them the one of path MTU discovery, with the MTU in `rest`.
    std::vector<Kind> kinds() const {
        if (v4()) return {{3, 4, 1400}, {3, 1, 0}, {3, 3, 0}, {11, 0, 0}, {12, 0, 0x14000000}};
        return {{2, 0, 1280}, {1, 0, 0}, {1, 4, 0}, {3, 0, 0}, {4, 1, 40}};
    }
    static Packet error(const Kind& kind, const abi::address& from, const abi::address& to, const Frame& about,
                        std::size_t l4_octets) {
        return Packet::icmp(from, to, kind.type, kind.code, kind.rest).payload(quotation(about, l4_octets));
    }
    void untouched(Outcome out, const Frame& sent, abi::verdict verdict) {
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.frame, sent);
    }
    static Frame routed(Packet packet, const Mac& to) {
        Frame frame = packet.ttl(63).frame();
        std::copy(to.begin(), to.end(), frame.begin());
        std::copy(uplink_mac.begin(), uplink_mac.end(), frame.begin() + 6);
        return frame;
    }

    abi::address router = at.other_client;
};

// A pod's flow: DNAT at ingress, undone at egress.
class IcmpErrorsDeliver : public IcmpErrors {
protected:
    Endpoint client_pod{at.pod2, 40000};
};

TEST_P(IcmpErrorsDeliver, AboutAForwardPacketAreTranslatedAtEgress) {
    Frame sent = world.packet(client_pod, frontend, ack).frame();
    Frame there = world.leave_pod(sent).frame;
    for (const Kind& kind : kinds())
        for (std::size_t octets :
             {std::size_t{8}, std::size_t{12}, std::size_t{16}, std::size_t{18}, std::size_t{19}, all}) {
            SCOPED_TRACE(testing::Message() << "type " << kind.type << " code " << kind.code << " quotes " << octets);
            // The client gets a router's error from the frontend too, like the backend's own: it knows no other host.
            Frame by_router = error(kind, router, client_pod.address, there, octets).frame();
            untouched(world.datapath.run(Hook::UplinkIngress, by_router, world.devices.uplink), by_router,
                      abi::VERDICT_PASS_OTHER_HOOK);
            Outcome out = world.egress(by_router);
            EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_DELIVER);
            EXPECT_EQ(out.frame, error(kind, at.vip, client_pod.address, sent, octets).frame());
            EXPECT_TRUE(checksums_right(out.frame));
            out = world.egress(error(kind, remote.address, client_pod.address, there, octets).frame());
            EXPECT_EQ(out.frame, error(kind, at.vip, client_pod.address, sent, octets).frame());
        }
}

TEST_P(IcmpErrorsDeliver, AboutAReplyAreTranslatedAtIngress) {
    world.leave_pod(world.packet(client_pod, frontend, syn));
    Frame sent = world.packet(remote, client_pod, syn | ack).frame();
    Frame there = world.egress(sent).frame;
    for (const Kind& kind : kinds())
        for (std::size_t octets : {std::size_t{8}, all}) {
            // The flow keeps its source address, so the error's sender keeps its own.
            for (const abi::address& from : {client_pod.address, router}) {
                Outcome out = world.leave_pod(error(kind, from, at.vip, there, octets).frame());
                EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
                EXPECT_EQ(out.frame, error(kind, from, remote.address, sent, octets).frame());
                EXPECT_TRUE(checksums_right(out.frame));
            }
        }
}

TEST_P(IcmpErrorsDeliver, AreLeftToTcByXdp) {
    world.leave_pod(world.packet(client_pod, frontend, syn));
    Frame there = world.egress(world.packet(remote, client_pod, syn | ack)).frame;
    Frame sent = error(kinds()[0], client_pod.address, at.vip, there, 8).frame();
    untouched(world.datapath.run(Hook::Xdp, sent, world.devices.uplink), sent, abi::VERDICT_PASS_TO_TC);
}

TEST_P(IcmpErrorsDeliver, LeaveTheFlowAlone) {
    Frame there = world.leave_pod(world.packet(client_pod, frontend, syn)).frame;
    for (int i = 0; i < 3; ++i) world.egress(error(kinds()[0], remote.address, client_pod.address, there, 8).frame());
    auto flow = world.datapath.flow(world.tuple(client_pod, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow.packets, 1u);
    EXPECT_FALSE(flow->flow.flags & abi::FLOW_SEEN_REPLY) << "any host can send an error";
}

const std::vector<Case> protocols =
    each_protocol() + std::vector<Case>{{4, IPPROTO_SCTP, Hook::UplinkIngress}, {6, IPPROTO_SCTP, Hook::UplinkIngress}};

INSTANTIATE_TEST_SUITE_P(, IcmpErrorsDeliver, testing::ValuesIn(protocols), case_name);

class IcmpErrorsDeliverUdp : public IcmpErrorsDeliver {};

TEST_P(IcmpErrorsDeliverUdp, AChecksumThatIsMinusZeroIsQuotedSo) {
    // Searches for a payload that gives the checksum zero, which UDP writes as 0xffff (RFC 768).
    Packet packet = world.packet(client_pod, frontend);
    for (int word = 0; word < 65536; ++word) {
        packet.payload(std::string{static_cast<char>(word >> 8), static_cast<char>(word & 0xff)});
        if (read(packet.frame()).l4_checksum == 0xffff) break;
    }
    Frame there = world.leave_pod(packet).frame;
    Outcome out = world.egress(error(kinds()[0], router, client_pod.address, there, 8).frame());
    EXPECT_EQ(out.frame, error(kinds()[0], at.vip, client_pod.address, packet.frame(), 8).frame());
}

INSTANTIATE_TEST_SUITE_P(, IcmpErrorsDeliverUdp, testing::ValuesIn(only(protocols, is_udp)), case_name);

// A flow with SNAT: finished at the uplink in both directions.
class IcmpErrorsForward : public IcmpErrors {};

TEST_P(IcmpErrorsForward, AboutAForwardPacketReachTheClient) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    Frame sent = world.packet(client, frontend, ack).ttl(63).frame();
    for (const Kind& kind : kinds())
        for (std::size_t octets : {std::size_t{8}, std::size_t{18}, all}) {
            SCOPED_TRACE(testing::Message() << "type " << kind.type << " code " << kind.code << " quotes " << octets);
            for (const abi::address& from : {remote.address, router}) {
                Outcome out = world.arrive(error(kind, from, at.node, there, octets).frame());
                EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_FORWARD);
                EXPECT_EQ(out.action, world.send_back());
                EXPECT_EQ(out.frame, routed(error(kind, at.vip, at.client, sent, octets), router_mac));
                EXPECT_TRUE(checksums_right(out.frame));
            }
        }
}

TEST_P(IcmpErrorsForward, AboutAReplyReachTheBackend) {
    Tuple rewritten = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple;
    Frame there = world.arrive(Packet::of(rewritten.reversed(), syn | ack).payload(33)).frame;
    Frame sent = Packet::of(rewritten.reversed(), syn | ack).payload(33).ttl(63).frame();
    for (const Kind& kind : kinds())
        for (std::size_t octets : {std::size_t{8}, std::size_t{18}, all})
            for (const abi::address& from : {at.client, router}) {
                Outcome out = world.arrive(error(kind, from, at.vip, there, octets).frame());
                EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
                EXPECT_EQ(out.frame, routed(error(kind, at.node, remote.address, sent, octets), remote_node_mac));
                EXPECT_TRUE(checksums_right(out.frame));
            }
}

TEST_P(IcmpErrorsForward, AboutAnAssuredFlowToo) {
    Tuple rewritten = world.establish(client, frontend);
    Frame there = Packet::of(rewritten, ack).frame();
    Outcome out = world.arrive(error(kinds()[0], router, at.node, there, 8).frame());
    EXPECT_EQ(out.frame, routed(error(kinds()[0], at.vip, at.client,
                                      world.packet(client, frontend).payload(std::size_t{0}).frame(), 8),
                                router_mac));
}

TEST_P(IcmpErrorsForward, WithAUsedUpTtlAreDroppedWithoutAnError) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    Frame sent = error(kinds()[0], router, at.node, there, 8).ttl(1).frame();
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_DROP_NO_ANSWER);
    EXPECT_EQ(out.action, world.drop());
}

TEST_P(IcmpErrorsForward, AboutUnknownFlowsAreUntouched) {
    world.arrive(world.packet(client, frontend, ack));
    Frame sent = error(kinds()[0], router, at.node, world.packet({at.node, 1234}, remote).frame(), 8).frame();
    untouched(world.arrive(sent), sent, abi::VERDICT_PASS_NO_FRONTEND);
    untouched(world.egress(sent), sent, abi::VERDICT_PASS_NO_FRONTEND);
}

TEST_P(IcmpErrorsForward, ThatLieAreUntouched) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    // The error goes to another address than the quoted packet's source.
    Frame sent = error(kinds()[0], router, at.node_other, there, 8).frame();
    untouched(world.arrive(sent), sent, abi::VERDICT_PASS_MALFORMED);
    // The quoted packet has another IP version.
    sent = error(kinds()[0], router, at.node, there, 8).frame();
    sent[v4() ? 42 : 62] ^= 0xf0;
    untouched(world.arrive(sent), sent, abi::VERDICT_PASS_MALFORMED);
}

TEST_P(IcmpErrorsForward, ThatQuoteTooLittleAreUntouched) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    for (std::size_t octets = 0; octets < 8; ++octets) {
        Frame sent = error(kinds()[0], router, at.node, there, octets).frame();
        untouched(world.arrive(sent), sent, abi::VERDICT_PASS_MALFORMED);
        // The missing octets lie behind the packet's end.
        sent = error(kinds()[0], router, at.node, there, octets).trailer(20).frame();
        untouched(world.arrive(sent), sent, abi::VERDICT_PASS_MALFORMED);
    }
}

TEST_P(IcmpErrorsForward, EthernetPaddingIsNotPartOfTheQuotation) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    Frame sent = world.packet(client, frontend, ack).ttl(63).frame();
    Outcome out = world.arrive(error(kinds()[0], router, at.node, there, 8).trailer(20).frame());
    EXPECT_EQ(out.frame, routed(error(kinds()[0], at.vip, at.client, sent, 8).trailer(20), router_mac));
}

TEST_P(IcmpErrorsForward, AboutAFirstFragmentAreTranslatedAndAboutALaterOneAreNot) {
    Packet whole = world.packet(client, frontend, ack).payload(100);
    auto sent = cut(whole.frame(), 40, 5);
    std::vector<Frame> there;
    for (const Frame& fragment : sent) there.push_back(world.arrive(fragment).frame);
    Outcome out = world.arrive(error(kinds()[0], router, at.node, there[0], 16).frame());
    EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_FORWARD);
    EXPECT_TRUE(checksums_right(out.frame));
    EXPECT_EQ(quoted_tuple(read_icmp(out.frame)), world.tuple(client, frontend));
    Frame later = error(kinds()[0], router, at.node, there[1], 40).frame();
    untouched(world.arrive(later), later, abi::VERDICT_PASS_FRAGMENT);
}

TEST_P(IcmpErrorsForward, OfOtherTypesAreUntouched) {
    Frame there = world.arrive(world.packet(client, frontend, ack)).frame;
    for (int type : v4() ? std::vector{0, 4, 5, 8, 13} : std::vector{128, 129, 137, 255}) {
        Frame sent = error({type, 0, 0}, router, at.node, there, 8).frame();
        untouched(world.arrive(sent), sent, abi::VERDICT_PASS_PROTOCOL);
    }
}

INSTANTIATE_TEST_SUITE_P(, IcmpErrorsForward, testing::ValuesIn(each_hook() + each_hook_of(IPPROTO_SCTP)), case_name);

class IcmpErrorsForwardIPv6 : public IcmpErrorsForward {
protected:
    static Packet with_options(Packet packet, std::size_t headers) {
        for (std::size_t i = 0; i < headers; ++i) packet.extension(i ? IPPROTO_DSTOPTS : IPPROTO_HOPOPTS);
        return packet;
    }
};

TEST_P(IcmpErrorsForwardIPv6, AboutAPacketWithExtensionHeadersReachTheClient) {
    for (std::size_t headers = 1; headers <= 6; ++headers)
        for (std::size_t octets : {8 * headers + 8, all}) {
            SCOPED_TRACE(testing::Message() << headers << " headers, quotes " << octets);
            Frame there = world.arrive(with_options(world.packet(client, frontend, ack), headers)).frame;
            Frame sent = with_options(world.packet(client, frontend, ack), headers).ttl(63).frame();
            Outcome out = world.arrive(error(kinds()[0], router, at.node, there, octets).frame());
            EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_FORWARD);
            EXPECT_EQ(out.frame, routed(error(kinds()[0], at.vip, at.client, sent, octets), router_mac));
            EXPECT_TRUE(checksums_right(out.frame));
        }
}

TEST_P(IcmpErrorsForwardIPv6, ThatQuoteOneExtensionHeaderTooManyAreUntouched) {
    Tuple rewritten = read(world.arrive(world.packet(client, frontend, ack)).frame).tuple;
    Frame there = with_options(Packet::of(rewritten, ack), 7).frame();
    Frame sent = error(kinds()[0], router, at.node, there, all).frame();
    untouched(world.arrive(sent), sent, abi::VERDICT_PASS_PROTOCOL);
}

INSTANTIATE_TEST_SUITE_P(, IcmpErrorsForwardIPv6,
                         testing::ValuesIn(only(each_hook() + each_hook_of(IPPROTO_SCTP), is_v6)), case_name);

}  // namespace
}  // namespace weir::test
