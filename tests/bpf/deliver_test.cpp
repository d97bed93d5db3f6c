// SPDX-License-Identifier: Apache-2.0
// Flows that go through the host stack: DNAT at ingress, undone at egress. Source, TTL and Ethernet header stay.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Deliver : public DatapathTest {
protected:
    Endpoint client_pod{at.pod2, 40000};
};

TEST_P(Deliver, PodToServiceGetsANewDestinationAndNothingElse) {
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client_pod, frontend, syn).frame();
    Outcome out = world.leave_pod(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
    EXPECT_EQ(out.action, tc_unspec);
    // The datapath's frame must equal, octet by octet, the one that the builder makes for the translated tuple.
    EXPECT_EQ(out.frame, world.packet(client_pod, remote, syn).frame());
    EXPECT_TRUE(checksums_right(out.frame));
}

TEST_P(Deliver, TheReplyIsUndoneAtEgress) {
    world.service().backends({remote}).frontend(frontend);
    world.leave_pod(world.packet(client_pod, frontend, syn));
    Outcome out = world.egress(world.packet(remote, client_pod, syn | ack));
    EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_DELIVER);
    EXPECT_EQ(out.action, tc_unspec);
    EXPECT_EQ(out.frame, world.packet(frontend, client_pod, syn | ack).frame());
}

TEST_P(Deliver, ReplyOfForwardRestoresThePacket) {
    world.service().backends({remote}).frontend(frontend);
    for (std::size_t octets : {0, 1, 2, 3, 64, 1000, 1399}) {
        Frame sent = world.packet(client_pod, frontend, ack).payload(octets).frame();
        Frame there = world.leave_pod(sent).frame;
        EXPECT_TRUE(checksums_right(there)) << octets;
        Frame back = world.egress(turned_around(there)).frame;
        EXPECT_EQ(turned_around(back), sent) << octets;
    }
}

TEST_P(Deliver, EveryLaterPacketGoesTheSameWay) {
    world.service().backends({remote, remote2, pod}).frontend(frontend);
    Tuple first = read(world.leave_pod(world.packet(client_pod, frontend, syn)).frame).tuple;
    for (int i = 0; i < 5; ++i) {
        Outcome out = world.leave_pod(world.packet(client_pod, frontend, ack));
        EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
        EXPECT_EQ(read(out.frame).tuple, first);
    }
}

TEST_P(Deliver, RepliesAreLeftToEgressByIngress) {
    world.service().backends({pod}).frontend(frontend);
    world.leave_pod(world.packet(client_pod, frontend, syn));
    Frame reply = world.packet(pod, client_pod, syn | ack).frame();
    Outcome out = world.leave_pod(reply);
    EXPECT_EQ(out.verdict, abi::VERDICT_PASS_OTHER_HOOK);
    EXPECT_EQ(out.frame, reply);
    EXPECT_EQ(world.datapath.run(Hook::UplinkIngress, reply, world.devices.uplink).verdict,
              abi::VERDICT_PASS_OTHER_HOOK);
    EXPECT_EQ(world.datapath.run(Hook::Xdp, reply, world.devices.uplink).verdict, abi::VERDICT_PASS_OTHER_HOOK);
}

TEST_P(Deliver, ForwardPacketsAreNotTouchedAtEgress) {
    world.service().backends({pod}).frontend(frontend);
    Frame sent = world.packet(client_pod, frontend, ack).frame();
    EXPECT_EQ(world.egress(sent).verdict, abi::VERDICT_PASS_NO_FRONTEND) << "egress makes no flows";
    world.leave_pod(sent);
    Outcome out = world.egress(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_PASS_OTHER_HOOK);
    EXPECT_EQ(out.frame, sent);
}

TEST_P(Deliver, ExternalToLocalBackendKeepsTheClientAndIsLeftToTcByXdp) {
    world.service().backends({pod}).frontend(frontend);
    Frame sent = world.packet(client, frontend, syn).frame();
    for (int i = 0; i < 2; ++i) {
        Outcome xdp = world.datapath.run(Hook::Xdp, sent, world.devices.uplink);
        EXPECT_EQ(xdp.verdict, abi::VERDICT_PASS_TO_TC);
        EXPECT_EQ(xdp.action, xdp_pass);
        EXPECT_EQ(xdp.frame, sent);
        Outcome tc = world.arrive(xdp.frame);
        EXPECT_EQ(tc.verdict, abi::VERDICT_DELIVER);
        EXPECT_EQ(tc.action, tc_unspec);
        EXPECT_EQ(tc.frame, world.packet(client, pod, syn).frame());
    }
    auto flow = world.datapath.flow(world.tuple(client, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow.packets, 2u) << "a packet that XDP leaves to tc is counted once";
    EXPECT_EQ(flow->flow.octets, 2 * sent.size());
    EXPECT_EQ(world.egress(world.packet(pod, client, syn | ack)).frame,
              world.packet(frontend, client, syn | ack).frame());
}

TEST_P(Deliver, TwoFrontendsToOneBackendFromOnePortAreKeptApart) {
    Endpoint frontend2{at.vip2, 80};
    world.service().backends({remote}).frontend(frontend).frontend(frontend2);
    Tuple first = read(world.leave_pod(world.packet(client_pod, frontend, syn)).frame).tuple;
    Tuple second = read(world.leave_pod(world.packet(client_pod, frontend2, syn)).frame).tuple;
    EXPECT_EQ(first.source, client_pod);
    EXPECT_EQ(second.source.address, client_pod.address);
    EXPECT_NE(second.source.port, client_pod.port);
    EXPECT_EQ(second.destination, remote);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(world.egress(world.packet(remote, first.source)).frame, world.packet(frontend, client_pod).frame());
        EXPECT_EQ(world.egress(world.packet(remote, second.source)).frame, world.packet(frontend2, client_pod).frame());
        EXPECT_EQ(read(world.leave_pod(world.packet(client_pod, frontend)).frame).tuple, first);
        EXPECT_EQ(read(world.leave_pod(world.packet(client_pod, frontend2)).frame).tuple, second);
    }
}

TEST_P(Deliver, ManyClientsReachEveryBackend) {
    world.service().backends({remote, remote2, pod}).frontend(frontend);
    std::map<std::string, int> chosen;
    for (std::uint16_t port = 1024; port < 1324; ++port)
        ++chosen[to_string(
            read(world.leave_pod(world.packet({at.pod2, port}, frontend, syn)).frame).tuple.destination.address)];
    EXPECT_EQ(chosen.size(), 3u);
    // Binomial(300, 1/3) has a standard deviation of 8: five of them.
    for (const auto& [backend, count] : chosen) EXPECT_NEAR(count, 100, 40) << backend;
}

INSTANTIATE_TEST_SUITE_P(, Deliver, testing::ValuesIn(each_protocol()), case_name);

}  // namespace
}  // namespace weir::test
