// SPDX-License-Identifier: Apache-2.0
// Packets larger than the next hop takes: the datapath answers with the route's MTU, which the flow keeps.
#include "tests/bpf/answer.hpp"
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Mtu : public DatapathTest {
protected:
    void SetUp() override { world.service().backends({across}).frontend(frontend); }

    std::size_t headers() const {
        return (world.family() == 4 ? 20u : 40u) + (world.tcp() ? 20u : world.protocol() == IPPROTO_UDP ? 8u : 12u);
    }
    // Returns a packet of this many octets from L3 on.
    Frame sized(std::size_t octets) { return world.packet(client, frontend, ack).payload(octets - headers()).frame(); }
    void goes(const Outcome& out) {
        EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
        EXPECT_TRUE(checksums_right(out.frame));
    }
    void answered(const Outcome& out, const Frame& sent, std::uint32_t mtu) {
        EXPECT_EQ(out.verdict, abi::VERDICT_ANSWER_TOO_BIG);
        EXPECT_EQ(out.action, world.send_back());
        EXPECT_TRUE(is_error_about(out.frame, sent, IcmpError::too_big(world.family(), mtu), at.node));
    }
    std::uint32_t known(const Tuple& tuple) const {
        auto flow = world.datapath.flow(tuple);
        return flow ? flow->flow.mtu : 0;
    }

    Endpoint across{at.across, 8080};
    DeviceMtu narrow{"other", 1400};
};

TEST_P(Mtu, TheFlowKnowsItsNextHops) {
    Tuple there = read(world.arrive(sized(100)).frame).tuple;
    EXPECT_EQ(known(world.tuple(client, frontend)), 1400u);
    world.arrive(Packet::of(there.reversed(), syn | ack).frame(), world.devices.other);
    EXPECT_EQ(known(there.reversed()), 1500u) << "the way back leaves by the other device";
    EXPECT_FALSE(world.datapath.flow(world.tuple(client, frontend))->flow.flags & 0xffffff & ~0x7fu) << "and its flags";
}

TEST_P(Mtu, TheLastOctetDecides) {
    goes(world.arrive(sized(1400)));
    for (std::size_t octets : {1401, 1402, 1450, 1500}) answered(world.arrive(sized(octets)), sized(octets), 1400);
    goes(world.arrive(sized(1400)));
    EXPECT_EQ(world.datapath.flow(world.tuple(client, frontend))->flow.packets, 2u) << "only forwarded packets count";
}

TEST_P(Mtu, AFirstPacketThatIsTooBigIsAnsweredToo) {
    answered(world.arrive(sized(1401)), sized(1401), 1400);
}

TEST_P(Mtu, EthernetPaddingIsNotCounted) {
    Frame sent = sized(1400);
    sent.resize(sent.size() + 4);
    goes(world.arrive(sent));
}

TEST_P(Mtu, RepliesTooTheirWay) {
    DeviceMtu narrower("uplink", 1300);
    Tuple back = read(world.arrive(sized(100)).frame).tuple.reversed();
    Frame sent = Packet::of(back, ack).payload(1301 - headers()).frame();
    Outcome out = world.arrive(sent, world.devices.other);
    EXPECT_EQ(out.verdict, abi::VERDICT_ANSWER_TOO_BIG);
    EXPECT_TRUE(is_error_about(out.frame, sent, IcmpError::too_big(world.family(), 1300), at.node));
    sent = Packet::of(back, ack).payload(1300 - headers()).frame();
    EXPECT_EQ(world.arrive(sent, world.devices.other).verdict, abi::VERDICT_REPLY_FORWARD);
}

TEST_P(Mtu, ARouteChangeRenewsIt) {
    goes(world.arrive(sized(1400)));
    DeviceMtu narrower("other", 1300);
    goes(world.arrive(sized(1400)));  // cached until the agent says otherwise
    world.tables.bump_route_generation();
    answered(world.arrive(sized(1400)), sized(1400), 1300);
    Node::ip("link set other mtu 1500");
    world.tables.bump_route_generation();
    goes(world.arrive(sized(1500)));
    EXPECT_EQ(known(world.tuple(client, frontend)), 1500u);
}

TEST_P(Mtu, ARoutesOwnMtuCounts) {
    std::string route =
        world.family() == 4 ? "10.244.3.5/32 via 198.51.100.30" : "2001:db8:1:3::5/128 via 2001:db8:3::30";
    Node::ip("route add " + route + " mtu lock 1380");
    answered(world.arrive(sized(1381)), sized(1381), 1380);
    goes(world.arrive(sized(1380)));
    Node::ip("route del " + route);
}

TEST_P(Mtu, PromotionKeepsIt) {
    Tuple there = read(world.arrive(sized(100)).frame).tuple;
    world.arrive(Packet::of(there.reversed(), syn | ack).frame(), world.devices.other);
    world.datapath.age_connection(world.tuple(client, frontend), 3);
    world.arrive(sized(100));
    EXPECT_TRUE(world.datapath.flow(world.tuple(client, frontend), Table::Assured));
    EXPECT_EQ(known(world.tuple(client, frontend)), 1400u);
    answered(world.arrive(sized(1401)), sized(1401), 1400);
}

TEST_P(Mtu, FragmentsAreCountedOneByOne) {
    for (const Frame& fragment : cut(sized(2800), 1352, 1))
        EXPECT_EQ(world.arrive(fragment).verdict, abi::VERDICT_FORWARD);
    Frame first = cut(sized(2800), 1384, 2)[0];
    Outcome out = world.arrive(first);
    EXPECT_EQ(out.verdict, abi::VERDICT_ANSWER_TOO_BIG);
    EXPECT_TRUE(is_error_about(out.frame, first, IcmpError::too_big(world.family(), 1400), at.node));
}

INSTANTIATE_TEST_SUITE_P(, Mtu, testing::ValuesIn(each_hook()), case_name);

// The host stack itself answers the packets that the datapath delivers to it.
class MtuDeliver : public Mtu {};

TEST_P(MtuDeliver, PodsPacketsAreLeftToTheHostStack) {
    Outcome out = world.leave_pod(world.packet({at.pod2, 40000}, frontend, ack).payload(1450 - headers()));
    EXPECT_EQ(out.verdict, abi::VERDICT_DELIVER);
}

TEST_P(MtuDeliver, AWayWithoutANeighbourHasNoMtuOfTheWayBefore) {
    world.arrive(sized(100));
    std::string neighbour = world.family() == 4 ? "198.51.100.30" : "2001:db8:3::30";
    DeviceMtu wide("other", 1500);
    Node::ip("neigh del " + neighbour + " dev other");
    world.tables.bump_route_generation();
    Outcome out = world.arrive(sized(1500));
    Node::ip("neigh replace " + neighbour + " lladdr 02:00:00:00:02:03 dev other nud permanent");
    goes(out);
    EXPECT_EQ(read(out.frame).destination_mac, default_destination_mac) << "the kernel writes the MAC once it knows it";
}

// GSO packets are larger than anything on the wire; their segments count.
TEST_P(MtuDeliver, AGsoPacketGoesWhereItsSegmentsFit) {
    auto run = [&](const Frame& frame, Gso gso) {
        return world.datapath.run(Hook::UplinkIngress, frame, world.devices.uplink, gso);
    };
    std::uint32_t fits = static_cast<std::uint32_t>(1400 - headers());
    Frame sent = sized(headers() + 2 * (fits - 50));
    goes(run(sent, {fits, 2}));
    goes(run(sent, {fits - 50, 2}));
    EXPECT_EQ(world.datapath.flow(world.tuple(client, frontend))->flow.packets, 4u);
    answered(run(sent, {fits + 1, 2}), sent, 1400);
    answered(run(sent, {}), sent, 1400);
}

const std::vector<Case> at_tc = only(each_hook(), is_tc);

INSTANTIATE_TEST_SUITE_P(, MtuDeliver, testing::ValuesIn(at_tc), case_name);

class MtuSctp : public Mtu {};

TEST_P(MtuSctp, AGsoPacketOfChunksIsCutByItsSender) {
    Frame sent = sized(3000);
    Outcome out = world.datapath.run(Hook::UplinkIngress, sent, world.devices.uplink, {0xffff, 3});
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
}

INSTANTIATE_TEST_SUITE_P(, MtuSctp, testing::ValuesIn(only(each_hook_of(IPPROTO_SCTP), is_tc)), case_name);

}  // namespace
}  // namespace weir::test
