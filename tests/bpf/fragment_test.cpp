// SPDX-License-Identifier: Apache-2.0
// Fragments go where their first one went: the receiver reassembles the datagram that it would have got as one
// packet.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Fragments : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({remote}).frontend(frontend); }
    bool v4() const { return world.family() == 4; }

    std::vector<Frame> sent(std::uint32_t id = 77, std::size_t octets = 1000) const {
        return cut(world.packet(client, frontend, ack).payload(octets).frame(), 400, id);
    }
    // Sends all fragments through the uplink and returns the datagram that comes out.
    Frame forwarded(const std::vector<Frame>& fragments, abi::verdict verdict) {
        std::vector<Frame> out;
        for (const Frame& fragment : fragments) {
            Outcome outcome = world.arrive(fragment);
            EXPECT_EQ(outcome.verdict, verdict);
            EXPECT_EQ(outcome.action, world.send_back());
            out.push_back(outcome.frame);
        }
        return reassembled(out);
    }
    void untouched(Outcome out, const Frame& frame, abi::verdict verdict) {
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.frame, frame);
    }
};

TEST_P(Fragments, MakeTheDatagramThatAWholePacketWouldBe) {
    for (std::size_t octets : {400, 401, 407, 1000, 2500}) {
        SCOPED_TRACE(octets);
        Frame there = forwarded(sent(static_cast<std::uint32_t>(octets), octets), abi::VERDICT_FORWARD);
        EXPECT_TRUE(checksums_right(there));
        Reading reading = read(there);
        EXPECT_EQ(reading.tuple.source.address, at.node);
        EXPECT_EQ(reading.tuple.destination, remote);
        EXPECT_EQ(reading.ttl, 63);
        EXPECT_EQ(reading.payload, read(world.packet(client, frontend).payload(octets).frame()).payload);
        // The reply, whose fragments have an identification of their own.
        Frame back = forwarded(cut(Packet::of(reading.tuple.reversed(), ack).payload(octets).frame(), 400, 9),
                               abi::VERDICT_REPLY_FORWARD);
        EXPECT_TRUE(checksums_right(back));
        EXPECT_EQ(read(back).tuple, world.tuple(frontend, client));
    }
}

TEST_P(Fragments, OfPodsAreTranslatedAtIngressAndEgress) {
    Endpoint client_pod{at.pod2, 40000};
    Frame whole = world.packet(client_pod, frontend, ack).payload(1000).frame();
    std::vector<Frame> there, back;
    for (const Frame& fragment : cut(whole, 400, 5)) {
        Outcome out = world.leave_pod(fragment);
        EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
        there.push_back(out.frame);
    }
    EXPECT_TRUE(checksums_right(reassembled(there)));
    EXPECT_EQ(read(reassembled(there)).tuple, world.tuple(client_pod, remote));
    for (const Frame& fragment : cut(world.packet(remote, client_pod).payload(1000).frame(), 400, 6)) {
        untouched(world.datapath.run(Hook::UplinkIngress, fragment, world.devices.uplink), fragment,
                  abi::VERDICT_PASS_OTHER_HOOK);
        Outcome out = world.egress(fragment);
        EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_DELIVER);
        back.push_back(out.frame);
    }
    EXPECT_TRUE(checksums_right(reassembled(back)));
    EXPECT_EQ(read(reassembled(back)).tuple, world.tuple(frontend, client_pod));
}

TEST_P(Fragments, CountInTheirFlow) {
    std::size_t octets = 0;
    for (const Frame& fragment : sent()) {
        world.arrive(fragment);
        octets += fragment.size();
    }
    auto flow = world.datapath.flow(world.tuple(client, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow.packets, 3u);
    EXPECT_EQ(flow->flow.octets, octets);
}

TEST_P(Fragments, OfTwoDatagramsAreKeptApartByIdentification) {
    Endpoint frontend2{at.vip, 81}, client2{at.client, 41000};
    world.service().backends({remote2}).frontend(frontend2);
    auto first = sent(1), second = cut(world.packet(client2, frontend2).payload(1000).frame(), 400, 2);
    std::vector<Frame> out_first, out_second;
    for (std::size_t i = 0; i < first.size(); ++i) {
        out_first.push_back(world.arrive(first[i]).frame);
        out_second.push_back(world.arrive(second[i]).frame);
    }
    EXPECT_TRUE(checksums_right(reassembled(out_first)));
    EXPECT_TRUE(checksums_right(reassembled(out_second)));
    EXPECT_EQ(read(reassembled(out_first)).tuple.destination, remote);
    EXPECT_EQ(read(reassembled(out_second)).tuple.destination, remote2);
}

TEST_P(Fragments, AnIdentificationThatIsUsedAgainMeansTheNewDatagram) {
    Endpoint frontend2{at.vip, 81};
    world.service().backends({remote2}).frontend(frontend2);
    forwarded(sent(1), abi::VERDICT_FORWARD);
    Frame there = forwarded(cut(world.packet(client, frontend2).payload(1000).frame(), 400, 1), abi::VERDICT_FORWARD);
    EXPECT_EQ(read(there).tuple.destination, remote2);
    EXPECT_TRUE(checksums_right(there));
}

TEST_P(Fragments, LaterOnesWithoutTheirFirst) {
    auto fragments = sent();
    // Behind a VIP there is no host that could keep fragments; the node can.
    Outcome out = world.arrive(fragments[1]);
    EXPECT_EQ(out.verdict, abi::VERDICT_DROP_VIP_PROTOCOL);
    EXPECT_EQ(out.action, world.drop());
    world.tables.set_vip(at.vip, abi::VIP_OF_NODE);
    untouched(world.arrive(fragments[1]), fragments[1], abi::VERDICT_PASS_FRAGMENT);
    // Fragments with another identification or another source do not belong to the first one.
    world.arrive(fragments[0]);
    untouched(world.arrive(sent(78)[1]), sent(78)[1], abi::VERDICT_PASS_FRAGMENT);
    Frame other = cut(world.packet({at.other_client, 40000}, frontend).payload(1000).frame(), 400, 77)[1];
    untouched(world.arrive(other), other, abi::VERDICT_PASS_FRAGMENT);
    EXPECT_EQ(world.arrive(fragments[1]).verdict, abi::VERDICT_FORWARD);
}

TEST_P(Fragments, OfAClosedFrontendAreDropped) {
    world.service().backends({remote}).frontend(frontend, {.external = abi::SCOPE_CLOSED});
    auto fragments = sent();
    EXPECT_EQ(world.arrive(fragments[0]).verdict, abi::VERDICT_DROP_CLOSED_FRONTEND);
    // The refused first fragment left no entry by which the datapath could match the later ones.
    EXPECT_EQ(world.arrive(fragments[1]).verdict, abi::VERDICT_DROP_VIP_PROTOCOL);
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 0u);
}

TEST_P(Fragments, AFirstOneTooShortForItsHeaderIsLeftAlone) {
    Frame first = cut(world.packet(client, frontend).payload(1000).frame(), 8, 3)[0];
    if (world.tcp()) {
        untouched(world.arrive(first), first, abi::VERDICT_PASS_MALFORMED);
    } else {
        EXPECT_EQ(world.arrive(first).verdict, abi::VERDICT_FORWARD) << "eight octets are a UDP header";
    }
}

INSTANTIATE_TEST_SUITE_P(, Fragments, testing::ValuesIn(each_hook()), case_name);

class FragmentsIPv4 : public Fragments {};

TEST_P(FragmentsIPv4, OfOneIdentificationAreKeptApartByProtocol) {
    std::uint8_t other = world.tcp() ? IPPROTO_UDP : IPPROTO_TCP;
    world.tables.service(other).backends({remote2}).frontend({at.vip, 81});
    Packet packet = Packet::of({client, {at.vip, 81}, other}).payload(1000);
    auto mine = sent(1), others = cut(packet.frame(), 400, 1);
    std::vector<Frame> out_mine, out_others;
    for (std::size_t i = 0; i < mine.size(); ++i) {
        out_mine.push_back(world.arrive(mine[i]).frame);
        out_others.push_back(world.arrive(others[i]).frame);
    }
    EXPECT_EQ(read(reassembled(out_mine)).tuple.destination, remote);
    EXPECT_EQ(read(reassembled(out_others)).tuple.destination, remote2);
    EXPECT_TRUE(checksums_right(reassembled(out_others)));
}

TEST_P(FragmentsIPv4, WithOptionsInFront) {
    Frame there = forwarded(cut(world.packet(client, frontend).ipv4_options(4).payload(1000).frame(), 400, 1),
                            abi::VERDICT_FORWARD);
    EXPECT_TRUE(checksums_right(there));
}

INSTANTIATE_TEST_SUITE_P(, FragmentsIPv4, testing::ValuesIn(only(each_hook(), is_v4)), case_name);

class FragmentsIPv6 : public Fragments {};

TEST_P(FragmentsIPv6, AnAtomicOneIsAWholePacket) {
    Outcome out = world.arrive(world.packet(client, frontend).extension(IPPROTO_FRAGMENT));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_TRUE(checksums_right(out.frame));
    EXPECT_EQ(read(out.frame).tuple.destination, remote);
}

TEST_P(FragmentsIPv6, WithExtensionHeadersBeforeAndAfterTheFragmentHeader) {
    Packet packet = world.packet(client, frontend).payload(1000);
    packet.extension(IPPROTO_HOPOPTS, 2).extension(IPPROTO_DSTOPTS, 3);
    // The chain before the fragment header is cut too: a later fragment then starts with no transport header.
    for (std::size_t before : {16, 0}) {
        auto fragments = cut(packet.frame(), 400, static_cast<std::uint32_t>(before), before);
        Frame there = forwarded(fragments, abi::VERDICT_FORWARD);
        EXPECT_TRUE(checksums_right(there)) << before;
        EXPECT_EQ(read(there).tuple.destination, remote) << before;
    }
}

INSTANTIATE_TEST_SUITE_P(, FragmentsIPv6, testing::ValuesIn(only(each_hook(), is_v6)), case_name);

// UDP only: any packet that comes late enough assures a UDP flow, a fragment too. A TCP flow needs an ACK.
class FragmentsUdpIPv6 : public Fragments {};

TEST_P(FragmentsUdpIPv6, ALaterOneThatStartsWithAnExtensionHeaderIsOfItsFirstsProtocol) {
    auto fragments = cut(world.packet(client, frontend).extension(IPPROTO_DSTOPTS, 3).payload(1000).frame(), 400, 5);
    Tuple there = read(forwarded(fragments, abi::VERDICT_FORWARD)).tuple;
    world.arrive(Packet::of(there.reversed()));
    world.datapath.age_connection(world.tuple(client, frontend), 3);
    EXPECT_EQ(world.arrive(fragments[1]).verdict, abi::VERDICT_FORWARD);
    EXPECT_TRUE(world.datapath.flow(world.tuple(client, frontend), Table::Assured));
    EXPECT_TRUE(world.datapath.flow(there.reversed(), Table::Assured));
}

INSTANTIATE_TEST_SUITE_P(, FragmentsUdpIPv6,
                         testing::ValuesIn(only(each_hook(), [](const Case& c) { return is_udp(c) && is_v6(c); })),
                         case_name);

}  // namespace
}  // namespace weir::test
