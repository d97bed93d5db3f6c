// SPDX-License-Identifier: Apache-2.0
// Cached next hops: used while the route generation stands, looked up again when it moves.
#include "tests/bpf/case.hpp"

namespace weir::test {
namespace {

class Route : public DatapathTest {
protected:
    // Routes `remote` over the other uplink; the destructor removes the route.
    class Detour {
    public:
        explicit Detour(int family)
            : route_(family == 4 ? "10.244.2.5/32 via 198.51.100.30" : "2001:db8:1:2::5/128 via 2001:db8:3::30") {
            Node::ip("route add " + route_);
        }
        ~Detour() { Node::ip("route del " + route_); }
        Detour(const Detour&) = delete;
        Detour& operator=(const Detour&) = delete;

    private:
        std::string route_;
    };
    Reading send() { return read(world.arrive(world.packet(client, frontend, ack)).frame); }
};

TEST_P(Route, TheNextHopIsCachedUntilTheGenerationMoves) {
    world.service().backends({remote}).frontend(frontend);
    Reading first = send();
    EXPECT_EQ(first.destination_mac, remote_node_mac);
    Detour detour(world.family());
    EXPECT_EQ(send().destination_mac, remote_node_mac);
    world.tables.bump_route_generation();
    Outcome out = world.arrive(world.packet(client, frontend, ack));
    EXPECT_EQ(out.action, world.send_across());
    Reading moved = read(out.frame);
    EXPECT_EQ(moved.destination_mac, other_node_mac);
    EXPECT_EQ(moved.source_mac, other_mac);
    EXPECT_EQ(moved.tuple, first.tuple) << "the connection keeps its source address";
    EXPECT_TRUE(checksums_right(out.frame));
}

TEST_P(Route, BothDirectionsLookAgain) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    world.tables.bump_route_generation();
    send();
    world.arrive(world.packet(there.destination, there.source));
    for (const Tuple& tuple : {world.tuple(client, frontend), there.reversed()})
        EXPECT_EQ(world.datapath.flow(tuple)->flow.route_generation, 2u);
}

TEST_P(Route, ANewNeighbourAddressIsSeen) {
    world.service().backends({remote}).frontend(frontend);
    send();
    std::string neighbour = world.family() == 4 ? "192.0.2.20" : "2001:db8:2::20";
    Node::ip("neigh replace " + neighbour + " lladdr 02:00:00:00:02:77 dev uplink nud permanent");
    world.tables.bump_route_generation();
    EXPECT_EQ(send().destination_mac, (Mac{2, 0, 0, 0, 2, 0x77}));
    Node::ip("neigh replace " + neighbour + " lladdr 02:00:00:00:02:02 dev uplink nud permanent");
}

TEST_P(Route, ADeviceThatLostXdpIsLeftToTc) {
    world.service().backends({remote}).frontend(frontend);
    send();
    Node::describe_device(world.datapath, world.devices.uplink, abi::DEVICE_UPLINK, places(4).node, places(6).node);
    world.tables.bump_route_generation();
    Outcome out = world.arrive(world.packet(client, frontend, ack));
    EXPECT_EQ(out.verdict, world.xdp() ? abi::VERDICT_PASS_TO_TC : abi::VERDICT_FORWARD);
    Node::describe_devices(world.datapath);
    world.tables.bump_route_generation();
    out = world.arrive(world.packet(client, frontend, ack));
    EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
    EXPECT_EQ(out.action, world.send_back());
}

TEST_P(Route, ANeighbourThatWasLostIsLeftToTc) {
    world.service().backends({remote}).frontend(frontend);
    Tuple there = world.establish(client, frontend);
    std::string neighbour = world.family() == 4 ? "192.0.2.20" : "2001:db8:2::20";
    Node::ip("neigh del " + neighbour + " dev uplink");
    world.tables.bump_route_generation();
    Frame sent = world.packet(client, frontend, ack).frame();
    Outcome out = world.arrive(sent);
    if (world.xdp()) {
        EXPECT_EQ(out.verdict, abi::VERDICT_PASS_TO_TC);
        EXPECT_EQ(out.frame, sent);
    } else {
        EXPECT_EQ(out.verdict, abi::VERDICT_FORWARD);
        EXPECT_EQ(out.action, tc_redirect);
        EXPECT_EQ(read(out.frame).tuple, there);
    }
    Node::ip("neigh replace " + neighbour + " lladdr 02:00:00:00:02:02 dev uplink nud permanent");
    EXPECT_EQ(send().destination_mac, remote_node_mac) << "the new MAC is found without another bump";
}

INSTANTIATE_TEST_SUITE_P(, Route, testing::ValuesIn(each_hook()), case_name);

}  // namespace
}  // namespace weir::test
