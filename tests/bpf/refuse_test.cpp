// SPDX-License-Identifier: Apache-2.0
// Every reason to drop a packet or to answer in place of a backend, each counted under its own verdict.
#include "tests/bpf/answer.hpp"
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Refuse : public DatapathTest {
protected:
    void drops(const Packet& packet, abi::verdict verdict) {
        Outcome out = world.arrive(packet);
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, world.drop());
    }
    // Expects an error back, sent from the address given.
    void answers(const Packet& packet, abi::verdict verdict, IcmpError error, const abi::address& from) {
        Outcome out = world.arrive(packet);
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, world.send_back());
        EXPECT_TRUE(is_error_about(out.frame, packet.frame(), error, from));
    }
    // Expects the answer of a service without backends: RST, or port unreachable.
    void rejects(const Outcome& out, const Frame& sent, int action, abi::verdict verdict) {
        EXPECT_EQ(out.verdict, verdict);
        EXPECT_EQ(out.action, action);
        if (world.tcp())
            EXPECT_TRUE(is_rst_about(out.frame, sent));
        else
            EXPECT_TRUE(is_error_about(out.frame, sent, IcmpError::port_unreachable(world.family()), at.vip));
    }
    std::size_t flows() const {
        return world.datapath.count_flows(world.family(), Table::Unassured) +
               world.datapath.count_flows(world.family(), Table::Assured);
    }
};

TEST_P(Refuse, NoBackendAnywhere) {
    world.service().frontend(frontend, {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT});
    Frame sent = world.packet(client, frontend, syn).frame();
    rejects(world.arrive(sent), sent, world.send_back(), abi::VERDICT_REJECT_NO_BACKEND);
    sent = world.packet({at.pod2, 40000}, frontend, syn).frame();
    rejects(world.leave_pod(sent), sent, tc_redirect, abi::VERDICT_REJECT_NO_BACKEND);
    EXPECT_EQ(flows(), 0u);
}

TEST_P(Refuse, AnUnusedPort) {
    world.service().backends({remote}).frontend(frontend);
    Endpoint unused{at.vip, 81};
    Frame sent = world.packet(client, unused, syn).frame();
    rejects(world.arrive(sent), sent, world.send_back(), abi::VERDICT_REJECT_NO_PORT);
    sent = world.packet({at.pod2, 40000}, unused, syn).frame();
    rejects(world.leave_pod(sent), sent, tc_redirect, abi::VERDICT_REJECT_NO_PORT);
    EXPECT_EQ(flows(), 0u);
}

TEST_P(Refuse, AnUnusedPortOfAClusterIpToTheOutside) {
    world.service().backends({remote}).frontend(frontend, {.external = abi::SCOPE_CLOSED});
    world.tables.set_vip(at.vip, abi::VIP_CLOSED_OUTSIDE);
    drops(world.packet(client, {at.vip, 81}, syn), abi::VERDICT_DROP_CLOSED_FRONTEND);
    Frame sent = world.packet({at.pod2, 40000}, {at.vip, 81}, syn).frame();
    rejects(world.leave_pod(sent), sent, tc_redirect, abi::VERDICT_REJECT_NO_PORT);
}

TEST_P(Refuse, NoLocalBackendForOneScopeLeavesTheOtherAlone) {
    world.service().backends({remote}).frontend(frontend, {.external = abi::SCOPE_NO_LOCAL});
    drops(world.packet(client, frontend, syn), abi::VERDICT_DROP_NO_LOCAL_BACKEND);
    EXPECT_EQ(flows(), 0u);
    EXPECT_EQ(world.leave_pod(world.packet({at.pod2, 40000}, frontend, syn)).verdict, abi::VERDICT_DELIVER);
}

TEST_P(Refuse, AClusterIpIsClosedToTheOutside) {
    world.service().backends({remote}).frontend(frontend, {.external = abi::SCOPE_CLOSED});
    drops(world.packet(client, frontend, syn), abi::VERDICT_DROP_CLOSED_FRONTEND);
    EXPECT_EQ(flows(), 0u);
    EXPECT_EQ(world.leave_pod(world.packet({at.pod2, 40000}, frontend, syn)).verdict, abi::VERDICT_DELIVER);
}

TEST_P(Refuse, ATtlThatIsUsedUp) {
    world.service().backends({remote}).frontend(frontend);
    IcmpError error = IcmpError::time_exceeded(world.family());
    answers(world.packet(client, frontend, syn).ttl(1), abi::VERDICT_ANSWER_TTL, error, at.node);
    answers(world.packet(client, frontend, syn).ttl(0), abi::VERDICT_ANSWER_TTL, error, at.node);
    Outcome out = world.arrive(world.packet(client, frontend, syn).ttl(2));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(read(out.frame).ttl, 1);
    answers(world.packet(remote, read(out.frame).tuple.source, syn | ack).ttl(1), abi::VERDICT_ANSWER_TTL, error,
            at.node);
}

TEST_P(Refuse, TheHostStackLooksAtTheTtlOfWhatItIsGiven) {
    world.service().backends({pod}).frontend(frontend);
    Outcome out = world.datapath.run(Hook::UplinkIngress, world.packet(client, frontend, syn).ttl(1).frame(),
                                     world.devices.uplink);
    EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
    EXPECT_EQ(read(out.frame).ttl, 1);
}

TEST_P(Refuse, AWayOutWithoutASourceAddress) {
    Node::describe_device(world.datapath, world.devices.uplink, abi::DEVICE_UPLINK | abi::DEVICE_XDP_XMIT, {}, {});
    world.service().backends({remote}).frontend(frontend);
    drops(world.packet(client, frontend, syn), abi::VERDICT_DROP_NO_SNAT_ADDRESS);
    EXPECT_EQ(flows(), 0u);
}

TEST_P(Refuse, ARouteThatHasGoneForAKnownFlow) {
    world.service().backends({remote}).frontend(frontend);
    world.arrive(world.packet(client, frontend, syn));
    std::string prefix = world.family() == 4 ? "10.244.2.5/32" : "2001:db8:1:2::5/128";
    Node::ip("route add blackhole " + prefix);
    EXPECT_EQ(world.arrive(world.packet(client, frontend, ack)).verdict, abi::VERDICT_FORWARD)
        << "the cached next hop is valid until the agent says otherwise";
    world.tables.bump_route_generation();
    drops(world.packet(client, frontend, ack), abi::VERDICT_DROP_NO_ROUTE);
    Node::ip("route del blackhole " + prefix);
    EXPECT_EQ(world.arrive(world.packet(client, frontend, ack)).verdict, abi::VERDICT_FORWARD);
}

TEST_P(Refuse, ASlotThatNamesABackendThatIsGone) {
    auto service = world.service().backends({remote}).frontend(frontend);
    world.tables.set_in_use(service.ids()[0], false);
    drops(world.packet(client, frontend, syn), abi::VERDICT_DROP_STALE_BACKEND);
    world.service().slots({abi::BACKEND_NONE}).frontend({at.vip2, 80});
    world.service().slots({1'000'000}).frontend({at.vip2, 81});
    drops(world.packet(client, {at.vip2, 80}, syn), abi::VERDICT_DROP_STALE_BACKEND);
    drops(world.packet(client, {at.vip2, 81}, syn), abi::VERDICT_DROP_STALE_BACKEND);
    EXPECT_EQ(flows(), 0u);
}

TEST_P(Refuse, AFlowThatCannotBeAssuredGoesOnUnassured) {
    Settings settings;
    settings.assured = 1;
    settings.tables_refuse = true;
    World world(GetParam(), settings);
    world.service().backends({remote}).frontend(frontend);
    Tuple there = read(world.arrive(world.packet(client, frontend, syn)).frame).tuple;
    world.arrive(world.packet(there.destination, there.source, syn | ack));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(read(world.arrive(world.packet(client, frontend)).frame).tuple, there);
        EXPECT_EQ(world.arrive(world.packet(there.destination, there.source)).verdict, abi::VERDICT_REPLY_FORWARD);
    }
    EXPECT_EQ(world.datapath.count_flows(world.family(), Table::Unassured), 2u);
}

INSTANTIATE_TEST_SUITE_P(, Refuse, testing::ValuesIn(each_hook()), case_name);

class RefuseTcp : public Refuse {};

TEST_P(RefuseTcp, AStrayRstMakesNoFlow) {
    world.service().backends({remote}).frontend(frontend);
    drops(world.packet(client, frontend, rst), abi::VERDICT_DROP_STRAY_RST);
    drops(world.packet(client, frontend, rst | ack), abi::VERDICT_DROP_STRAY_RST);
    EXPECT_EQ(flows(), 0u);
}

INSTANTIATE_TEST_SUITE_P(, RefuseTcp, testing::ValuesIn(only(each_hook(), is_tcp)), case_name);

}  // namespace
}  // namespace weir::test
