// SPDX-License-Identifier: Apache-2.0
// External clients, backends elsewhere: SNAT, finished at the uplink by XDP or tc.
#include <sys/utsname.h>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Forward : public DatapathTest {
protected:
    // Returns the frame that must leave: the builder's, with the Ethernet addresses of the next hop.
    static Frame routed(Packet packet, const Mac& from, const Mac& to, std::uint8_t ttl = 63) {
        Frame frame = packet.ttl(ttl).frame();
        std::copy(to.begin(), to.end(), frame.begin());
        std::copy(from.begin(), from.end(), frame.begin() + 6);
        return frame;
    }
    Endpoint across{at.across, 8080};
};

TEST_P(Forward, AddressesPortTtlAndEthernetAreRewritten) {
    world.service().backends({remote}).frontend(frontend);
    Outcome out = world.arrive(world.packet(client, frontend, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(out.action, world.send_back());
    Endpoint source = read(out.frame).tuple.source;
    EXPECT_EQ(source.address, at.node);
    EXPECT_GE(source.port, 61000);
    EXPECT_LE(source.port, 61999);
    EXPECT_EQ(out.frame, routed(world.packet(source, remote, syn), uplink_mac, remote_node_mac));
    EXPECT_TRUE(checksums_right(out.frame));
}

TEST_P(Forward, TheReplyReturnsToTheClientFromTheFrontend) {
    world.service().backends({remote}).frontend(frontend);
    Endpoint source = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple.source;
    for (int i = 0; i < 3; ++i) {
        Outcome out = world.arrive(world.packet(remote, source, syn | ack));
        EXPECT_EQ(out.verdict, abi::VERDICT_REPLY_FORWARD);
        EXPECT_EQ(out.action, world.send_back());
        EXPECT_EQ(out.frame, routed(world.packet(frontend, client, syn | ack), uplink_mac, router_mac));
    }
}

TEST_P(Forward, ReplyOfForwardRestoresThePacketButForRouting) {
    world.service().backends({remote}).frontend(frontend);
    for (std::size_t octets : {0, 1, 2, 3, 64, 1000, 1399}) {
        Frame sent = world.packet(client, frontend, ack).payload(octets).frame();
        Frame there = world.arrive(sent).frame;
        EXPECT_TRUE(checksums_right(there)) << octets;
        Frame back = world.arrive(turned_around(there)).frame;
        EXPECT_TRUE(checksums_right(back)) << octets;
        EXPECT_TRUE(equal_but_for_routing(turned_around(back), sent)) << octets;
        EXPECT_EQ(read(back).ttl, 62);
    }
}

TEST_P(Forward, AnotherUplinkIsReachedByRedirect) {
    world.service().backends({across}).frontend(frontend);
    Outcome out = world.arrive(world.packet(client, frontend, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(out.action, world.send_across());
    Endpoint source = read(out.frame).tuple.source;
    EXPECT_EQ(source.address, at.node_other) << "the address that the route prefers as source";
    EXPECT_EQ(out.frame, routed(world.packet(source, across, syn), other_mac, other_node_mac));
    auto flow = world.datapath.flow(world.tuple(client, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(static_cast<int>(flow->flow.ifindex), world.devices.other);
    // The reply comes in on that device.
    Outcome back = world.arrive(world.packet(across, source, syn | ack).frame(), world.devices.other);
    EXPECT_EQ(back.verdict, abi::VERDICT_REPLY_FORWARD);
    EXPECT_EQ(back.action, world.send_across());
    EXPECT_EQ(back.frame, routed(world.packet(frontend, client, syn | ack), uplink_mac, router_mac));
}

TEST_P(Forward, APacketsWayCountsOnceInItsFlow) {
    world.service().backends({remote}).frontend(frontend);
    std::size_t octets = 0;
    for (std::size_t size : {10, 200, 1000}) {
        Frame sent = world.packet(client, frontend, ack).payload(size).frame();
        world.arrive(sent);
        octets += sent.size();
    }
    auto flow = world.datapath.flow(world.tuple(client, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow.packets, 3u);
    EXPECT_EQ(flow->flow.octets, octets);
    EXPECT_LE(now_ticks() - flow->flow.last_seen, ticks(2)) << "never ahead of what user space reads";
}

TEST_P(Forward, TheNodesOwnAddressCanBeAFrontend) {
    Endpoint node_port{at.node, 30080};
    world.service().backends({remote}).frontend(node_port);
    Outcome out = world.arrive(world.packet(client, node_port, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(out.frame).tuple.destination, remote);
}

TEST_P(Forward, UnresolvedNeighbourIsLeftToTcWhichResolvesIt) {
    world.service().backends({{at.unresolved, 8080}}).frontend(frontend);
    Frame sent = world.packet(client, frontend, syn).frame();
    Outcome out = world.arrive(sent);
    if (world.xdp()) {
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_TO_TC);
        EXPECT_EQ(out.action, xdp_pass);
        EXPECT_EQ(out.frame, sent);
        EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 0u);
        return;
    }
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(out.action, tc_redirect);
    EXPECT_EQ(read(out.frame).ttl, 63);
    EXPECT_EQ(read(out.frame).tuple.destination, (Endpoint{at.unresolved, 8080}));
    EXPECT_EQ(read(out.frame).destination_mac, default_destination_mac) << "the kernel writes the MAC once it knows it";
    EXPECT_TRUE(checksums_right(out.frame));
}

TEST_P(Forward, ADeviceThatTakesNoXdpFramesIsLeftToTc) {
    Node::describe_device(world.datapath, world.devices.other, abi::DEVICE_UPLINK, places(4).node_other,
                          places(6).node_other);
    world.service().backends({across}).frontend(frontend);
    Frame sent = world.packet(client, frontend, syn).frame();
    for (int i = 0; i < 2; ++i) {
        Outcome out = world.datapath.run(Hook::Xdp, sent, world.devices.uplink);
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_TO_TC);
        EXPECT_EQ(out.frame, sent);
        out = world.datapath.run(Hook::UplinkIngress, sent, world.devices.uplink);
        EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(out.action, tc_redirect);
        EXPECT_EQ(read(out.frame).destination_mac, other_node_mac);
    }
    auto flow = world.datapath.flow(world.tuple(client, frontend));
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flow.packets, 2u);
    // The reply leaves by a device that does take them.
    Tuple reply = flow->rewritten(world.protocol()).reversed();
    EXPECT_EQ(world.datapath.run(Hook::Xdp, Packet::of(reply, syn | ack).frame(), world.devices.other).action,
              xdp_redirect);
}

TEST_P(Forward, XdpAndTcServeOneFlow) {
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend, syn).frame();
    Frame by_xdp = world.datapath.run(Hook::Xdp, sent, world.devices.uplink).frame;
    Frame by_tc = world.datapath.run(Hook::UplinkIngress, sent, world.devices.uplink).frame;
    EXPECT_EQ(by_xdp, by_tc);
}

TEST_P(Forward, WithoutAnUplinkAtTheWayOutTheHostStackDelivers) {
    Node::describe_device(world.datapath, world.devices.other, 0, places(4).node_other, places(6).node_other);
    world.service().backends({across}).frontend(frontend);
    Frame sent = world.packet(client, frontend, syn).frame();
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, world.xdp() ? abi::VERDICT_PASS_TO_TC : abi::VERDICT_DELIVER);
    EXPECT_EQ(out.frame, world.xdp() ? sent : world.packet(client, across, syn).frame());
}

TEST_P(Forward, TheRoutesPreferredSourceIsUsedWhereTheKernelTells) {
    utsname kernel{};
    uname(&kernel);
    int major = 0, minor = 0;
    ASSERT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2);
    if (std::pair(major, minor) < std::pair(6, 7)) GTEST_SKIP() << "BPF_FIB_LOOKUP_SRC needs Linux 6.7";
    Settings settings;
    settings.config.fib_source = 1;
    World world(GetParam(), settings);
    for (int device : {world.devices.uplink, world.devices.other})
        Node::describe_device(world.datapath, device, abi::DEVICE_UPLINK | abi::DEVICE_XDP_XMIT, {}, {});
    world.service().backends({across}).frontend(frontend);
    Outcome out = world.arrive(world.packet(client, frontend, syn));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(out.frame).tuple.source.address, at.node_other);
    EXPECT_TRUE(checksums_right(out.frame));
}

INSTANTIATE_TEST_SUITE_P(, Forward, testing::ValuesIn(each_hook()), case_name);

class ForwardXdp : public Forward {};

TEST_P(ForwardXdp, JumboFramesInSeveralBuffers) {
    DeviceMtu jumbo("uplink", 9000);
    world.service().backends({remote}).frontend(frontend);
    Frame sent = world.packet(client, frontend, ack).payload(8000).frame();
    Outcome out = world.arrive(sent);
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(out.frame.size(), sent.size());
    EXPECT_TRUE(checksums_right(out.frame));
}

INSTANTIATE_TEST_SUITE_P(, ForwardXdp, testing::ValuesIn(only(each_hook(), is_xdp)), case_name);

}  // namespace
}  // namespace weir::test
