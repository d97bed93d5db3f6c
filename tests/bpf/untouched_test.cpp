// SPDX-License-Identifier: Apache-2.0
// What is not ours goes through byte for byte, at every hook, and is counted under its name.
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

TEST_P(Untouched, OtherProtocols) {
    for (int protocol : {int{IPPROTO_ICMP}, int{IPPROTO_ICMPV6}, int{IPPROTO_GRE}, int{IPPROTO_ESP}, int{IPPROTO_SCTP}})
        passes(Packet::of({client, frontend, static_cast<std::uint8_t>(protocol)}).frame(), abi::VERDICT_PASS_PROTOCOL);
}

TEST_P(Untouched, AddressAndPortThatNoFrontendHas) {
    passes(Packet::tcp(client, {at.vip2, 80}, syn).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::tcp(client, {at.vip, 81}, syn).frame(), abi::VERDICT_PASS_NO_FRONTEND);
    passes(Packet::udp(client, {at.vip, 81}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
}

TEST_P(Untouched, PortOfAFrontendOfTheOtherProtocol) {
    world.service().backends({{at.remote, 8080}}).frontend({at.vip2, 443});
    passes(Packet::udp(client, {at.vip2, 443}).frame(), abi::VERDICT_PASS_NO_FRONTEND);
}

TEST_P(Untouched, Fragments) {
    if (family() == 4) {
        passes(Packet::udp(client, frontend).fragment(0, true).payload(64).frame(), abi::VERDICT_PASS_FRAGMENT);
        passes(Packet::udp(client, frontend).fragment(8, true).payload(64).frame(), abi::VERDICT_PASS_FRAGMENT);
        passes(Packet::udp(client, frontend).fragment(8, false).payload(64).frame(), abi::VERDICT_PASS_FRAGMENT);
    } else {
        passes(Packet::udp(client, frontend).extension(IPPROTO_FRAGMENT).payload(64).frame(),
               abi::VERDICT_PASS_FRAGMENT);
        passes(Packet::udp(client, frontend).extension(IPPROTO_DSTOPTS).extension(IPPROTO_FRAGMENT).frame(),
               abi::VERDICT_PASS_FRAGMENT);
    }
}

INSTANTIATE_TEST_SUITE_P(, Untouched,
                         testing::Combine(testing::Values(4, 6), testing::Values(Hook::Xdp, Hook::UplinkIngress,
                                                                                 Hook::WorkloadIngress, Hook::Egress)),
                         [](const auto& info) {
                             return "IPv" + std::to_string(std::get<0>(info.param)) + "_" +
                                    to_string(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace weir::test
