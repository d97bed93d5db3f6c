// SPDX-License-Identifier: Apache-2.0
// SCTP: its checksum is a CRC over the ports but not the addresses. The tests recompute it for every packet.
#include <random>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Sctp : public DatapathTest {
protected:
    // The kernel's buffer for a tc test run holds no more.
    std::size_t longest() const { return world.xdp() ? 8000 : 3000; }

    void both_ways(const Endpoint& backend, std::size_t octets) {
        SCOPED_TRACE(octets);
        Frame sent = world.packet(client, frontend).payload(octets).frame();
        Outcome there = world.arrive(sent);
        ASSERT_EQ(there.verdict, abi::VERDICT_FORWARD);
        EXPECT_TRUE(checksums_right(there.frame));
        EXPECT_EQ(read(there.frame).tuple.destination, backend);
        EXPECT_EQ(read(there.frame).payload, read(sent).payload);
        Outcome back = world.arrive(Packet::of(read(there.frame).tuple.reversed()).payload(octets).frame());
        ASSERT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
        EXPECT_TRUE(checksums_right(back.frame));
        EXPECT_EQ(read(back.frame).tuple, world.tuple(frontend, client));
    }

    DeviceMtu jumbo{"uplink", 9000};
};

TEST_P(Sctp, ChangedPortsChangeTheCrcWhateverTheLength) {
    world.service().backends({remote}).frontend(frontend);
    for (std::size_t octets = 0; octets < 70; ++octets) both_ways(remote, octets);
    std::mt19937 engine(1);
    for (int i = 0; i < 100; ++i) both_ways(remote, engine() % longest());
    both_ways(remote, longest());
}

TEST_P(Sctp, UnchangedPortsLeaveTheCrcAlone) {
    remote.port = frontend.port;
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend).payload(100).frame(), there = world.arrive(sent).frame;
    EXPECT_EQ(read(there).tuple, world.tuple({at.node, client.port}, remote)) << "the client's port is free";
    std::size_t l4 = read(sent).l4_offset;
    EXPECT_TRUE(std::equal(sent.begin() + static_cast<std::ptrdiff_t>(l4), sent.end(),
                           there.begin() + static_cast<std::ptrdiff_t>(l4)));
    both_ways(remote, 33);
}

TEST_P(Sctp, TheClientsPortIsKeptWhereItIsFree) {
    world.service().backends({remote}).frontend(frontend);
    EXPECT_EQ(read(world.arrive(world.packet(client, frontend)).frame).tuple.source, (Endpoint{at.node, client.port}));
    Tuple second = read(world.arrive(world.packet({at.other_client, client.port}, frontend)).frame).tuple;
    EXPECT_GE(second.source.port, 61000) << "another client has the port already";
    Frame back = world.arrive(Packet::of(second.reversed()).payload(9)).frame;
    EXPECT_TRUE(checksums_right(back));
    EXPECT_EQ(read(back).tuple, world.tuple(frontend, {at.other_client, client.port}));
}

TEST_P(Sctp, ADamagedPacketStaysDamaged) {
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend).payload(100).frame();
    sent.back() ^= 1;
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_FALSE(checksums_right(out.frame));
}

TEST_P(Sctp, EthernetPaddingIsNotPartOfIt) {
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend).payload(4).trailer(30).frame();
    EXPECT_TRUE(checksums_right(world.arrive(sent).frame));
}

TEST_P(Sctp, OfPodsIsTranslatedAtIngressAndEgress) {
    world.service().backends({remote}).frontend(frontend);
    Endpoint client_pod{at.pod2, 40000};
    EXPECT_EQ(world.leave_pod(world.packet(client_pod, frontend)).frame, world.packet(client_pod, remote).frame());
    EXPECT_EQ(world.egress(world.packet(remote, client_pod)).frame, world.packet(frontend, client_pod).frame());
}

TEST_P(Sctp, TheNextForwardPacketAfterAReplyAssuresTheFlow) {
    world.service().backends({remote}).frontend(frontend);
    world.establish(client, frontend);
    both_ways(remote, 100);
}

TEST_P(Sctp, FlowsOfARemovedBackendAreSweptAtOnce) {
    auto service = world.service().backends({remote}).frontend(frontend);
    world.establish(client, frontend);
    world.tables.set_in_use(service.ids()[0], false);
    EXPECT_EQ(world.datapath.sweep().orphaned, 1u);
    EXPECT_FALSE(world.datapath.flow(world.tuple(client, frontend)));
}

TEST_P(Sctp, FragmentsWithUnchangedPortsMakeTheDatagram) {
    remote.port = frontend.port;
    world.service().backends({remote}).frontend(frontend);
    std::vector<Frame> there;
    for (const Frame& fragment : cut(world.packet(client, frontend).payload(1000).frame(), 400, 4))
        there.push_back(world.arrive(fragment).frame);
    EXPECT_TRUE(checksums_right(reassembled(there)));
    EXPECT_EQ(read(reassembled(there)).tuple, world.tuple({at.node, client.port}, remote));
}

TEST_P(Sctp, AFirstFragmentWithChangedPortsIsDropped) {
    // The checksum needs all of the datagram, and no fragment has it.
    world.service().backends({remote}).frontend(frontend);
    Frame first = cut(world.packet(client, frontend).payload(1000).frame(), 400, 4)[0];
    Outcome out = world.arrive(first);
    EXPECT_EQ(out.verdict, abi::VERDICT_DROP_VIP_PROTOCOL);
    EXPECT_EQ(out.action, world.drop());
}

TEST_P(Sctp, OneThatEndsWithinItsHeaderIsLeftAlone) {
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend).frame();
    sent.resize(sent.size() - 33);
    for (std::size_t octets = 0; octets < 12; ++octets) {
        sent[world.family() == 4 ? 17 : 19] = static_cast<std::uint8_t>(octets + (world.family() == 4 ? 20 : 0));
        Outcome out = world.arrive(sent);
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_MALFORMED) << octets;
        EXPECT_EQ(out.frame, sent);
    }
}

INSTANTIATE_TEST_SUITE_P(, Sctp, testing::ValuesIn(each_hook_of(IPPROTO_SCTP)), case_name);

}  // namespace
}  // namespace weir::test
