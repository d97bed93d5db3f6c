// SPDX-License-Identifier: Apache-2.0
// Packets that are not for weir pass byte for byte, at every hook, and are counted under their verdict.
#include <algorithm>

#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Untouched : public testing::TestWithParam<std::tuple<int, Hook>> {
protected:
    int family() const { return std::get<0>(GetParam()); }
    Hook hook() const { return std::get<1>(GetParam()); }

    void SetUp() override {
        world.service().backends({{at.remote, 8080}}).frontend(frontend);
        world.tables.service(IPPROTO_UDP).backends({{at.remote, 8080}}).frontend(frontend);
    }

    void passes(const Frame& frame, abi::verdict verdict) {
        Outcome out = world.datapath.run(hook(), frame, world.devices.uplink);
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, hook() == Hook::Xdp ? xdp_pass : tc_unspec);
        EXPECT_EQ(out.frame, frame);
        for (Table table : {Table::Unassured, Table::Assured})
            EXPECT_EQ(world.datapath.count_flows(family(), table), 0u) << "it made a flow";
    }

    World world{{family(), IPPROTO_TCP, hook()}, {}};
    const Places& at = world.at;
    Endpoint client{at.client, 40000}, frontend{at.vip, 80};
};

TEST_P(Untouched, OtherEtherTypes) {
    Frame arp = Packet::tcp(client, frontend).frame();
    arp[12] = 0x08;
    arp[13] = 0x06;
    passes(arp, abi::VERDICT_PASS_NOT_IP);
    Frame vlan = arp;
    vlan[12] = 0x88;
    vlan[13] = 0x47;
    passes(vlan, abi::VERDICT_PASS_NOT_IP);
}

TEST_P(Untouched, OtherProtocolsToAnAddressThatNoFrontendHas) {
    Endpoint other{at.vip2, 80};
    for (int protocol : {int{IPPROTO_ICMP}, int{IPPROTO_ICMPV6}, int{IPPROTO_GRE}, int{IPPROTO_ESP}})
        passes(Packet::of({client, other, static_cast<std::uint8_t>(protocol)}).frame(), abi::VERDICT_PASS_PROTOCOL);
    passes(Packet::icmp(at.client, at.vip2, family() == 4 ? 8 : 128).payload(40).frame(), abi::VERDICT_PASS_PROTOCOL);
    passes(Packet::sctp(client, other).payload(16).frame(), abi::VERDICT_PASS_NO_FRONTEND);
}

TEST_P(Untouched, AddressThatNoFrontendHas) {
    passes(Packet::tcp(client, {at.vip2, 80}, syn).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::udp(client, {at.vip2, 80}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
}

// Packets to a node's address that match no frontend are left to the node.
TEST_P(Untouched, OtherPortsAndProtocolsOfTheNode) {
    world.service().backends({{at.remote, 8080}}).frontend({at.node, 30080});
    world.tables.set_vip(at.node, abi::VIP_OF_NODE);
    passes(Packet::tcp(client, {at.node, 22}, syn).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::udp(client, {at.node, 53}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::udp(client, {at.node, 30080}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::sctp(client, {at.node, 30080}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::of({client, {at.node, 0}, IPPROTO_GRE}).frame(), abi::VERDICT_PASS_PROTOCOL);
    passes(Packet::icmp(at.client, at.node, family() == 4 ? 8 : 128).payload(40).frame(), abi::VERDICT_PASS_PROTOCOL);
}

// Fragments of a datagram that is not for weir, as the first one shows.
TEST_P(Untouched, Fragments) {
    std::vector<Frame> fragments = cut(Packet::udp(client, {at.vip2, 80}).payload(64).frame(), 24, 7);
    passes(fragments[2], abi::VERDICT_PASS_FRAGMENT);
    passes(fragments[0], abi::VERDICT_PASS_NO_FRONTEND);
    // The first fragment is for no frontend, so the datapath keeps no entry of it.
    passes(fragments[1], abi::VERDICT_PASS_FRAGMENT);
}

std::string untouched_name(const testing::TestParamInfo<std::tuple<int, Hook>>& info) {
    return "IPv" + std::to_string(std::get<0>(info.param)) + "_" + to_string(std::get<1>(info.param));
}

const auto every_hook = testing::Values(Hook::Xdp, Hook::UplinkIngress, Hook::WorkloadIngress, Hook::Egress);

INSTANTIATE_TEST_SUITE_P(, Untouched, testing::Combine(testing::Values(4, 6), every_hook), untouched_name);

class UntouchedIPv6 : public Untouched {};

// Mapped IPv4 addresses must not come from the wire: they would reach IPv4 frontends past their source ranges.
TEST_P(UntouchedIPv6, MappedAddresses) {
    Endpoint v4_client{places(4).client, 40000}, v4_frontend{places(4).vip, 80};
    world.service().backends({{places(4).remote, 8080}}).frontend(v4_frontend);
    Frame frame = Packet::tcp(client, frontend, syn).frame();
    for (bool source : {false, true}) {
        std::copy_n(v4_frontend.address.bytes, 16, frame.begin() + 38);
        if (source) std::copy_n(v4_client.address.bytes, 16, frame.begin() + 22);
        passes(frame, abi::VERDICT_PASS_NO_FRONTEND);
    }
}

INSTANTIATE_TEST_SUITE_P(, UntouchedIPv6, testing::Combine(testing::Values(6), every_hook), untouched_name);

}  // namespace
}  // namespace weir::test
