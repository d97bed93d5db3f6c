// SPDX-License-Identifier: Apache-2.0
// Conflicts: several Services that want the same addresses and ports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan_world.hpp"

namespace weir::plan::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(PlannerStates, WhatHasNoFrontends) {
    World world;
    auto headless = service("a", "");
    headless.headless = true;
    auto external = service("b", "");
    external.type = model::ServiceType::external_name;
    auto other = service("c", "10.96.0.1");
    other.other_proxy = true;
    for (const auto& s : {headless, external, other}) world.add(s);
    EXPECT_THAT(world.plan(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(world.of("a").state, ServiceState::headless);
    EXPECT_EQ(world.of("b").state, ServiceState::external_name);
    EXPECT_EQ(world.of("c").state, ServiceState::other_proxy);
    for (auto name : {"a", "b", "c"}) EXPECT_THAT(world.of(name).ports, IsEmpty());
}

TEST(PlannerStates, EveryProtocolHasItsFrontend) {
    World world;
    world.add(
        service("dns", "10.96.0.10",
                {port("tcp", 53), port("udp", 53, model::Protocol::udp), port("sctp", 53, model::Protocol::sctp)}));
    world.plan();
    EXPECT_THAT(world.frontends("dns"), ElementsAre("10.96.0.10:53/TCP", "10.96.0.10:53/UDP", "10.96.0.10:53/SCTP"));
    EXPECT_EQ(world.problems("dns"), "");
}

TEST(PlannerStates, PartsWithoutEffectAreSaid) {
    World world;
    auto web = service("web", "10.96.0.1");
    web.type = model::ServiceType::load_balancer;
    web.load_balancer = {{.ip = address("198.51.100.1"), .mode = model::IpMode::vip}};
    web.source_ranges = {cidr("2001:db8::/32")};
    web.external_ips = {address("2001:db8::100")};
    world.add(web);
    world.plan();
    EXPECT_THAT(world.problems("web"), HasSubstr("load balancer address 198.51.100.1 lets everybody in"));
    EXPECT_THAT(world.problems("web"), HasSubstr("externalIP 2001:db8::100 is ignored: the Service has no IPv6"));
}

TEST(PlannerStates, NodePortsNeedNodeAddresses) {
    auto nowhere = node();
    nowhere.node_port_addresses.clear();
    World world(nowhere);
    world.add(node_port_service("web", "10.96.0.1", 30080));
    auto plain = service("plain", "10.96.0.2", {port("http", 80, model::Protocol::tcp, 30081)});
    world.add(plain);
    world.plan();
    EXPECT_THAT(world.frontends("web"), ElementsAre("10.96.0.1:80/TCP"));
    EXPECT_THAT(world.problems("web"), HasSubstr("no node addresses known; add a Node object"));
    EXPECT_THAT(world.problems("plain"), HasSubstr("nodePort 30081 is ignored"));
    EXPECT_THAT(world.plan_all(node()), ElementsAre("plain", "web"));
    EXPECT_THAT(world.frontends("web"), ElementsAre("10.96.0.1:80/TCP", "192.168.0.2:30080/TCP"));
    EXPECT_THAT(world.problems("web"), IsEmpty());
}

TEST(PlannerStates, PortsWithOneNameOrOneNumber) {
    World world;
    world.add(service("web", "10.96.0.1", {port("a", 80), port("a", 81), port("b", 80)}));
    world.plan();
    EXPECT_THAT(world.frontends("web"), ElementsAre("10.96.0.1:80/TCP"));
    EXPECT_THAT(world.problems("web"), HasSubstr("port 81 is left out: it has the same name (\"a\") as port 80"));
    EXPECT_THAT(world.problems("web"), HasSubstr("clusterIP 10.96.0.1:80/TCP is named by two ports of the Service"));
}

TEST(Conflicts, TheSmallerNameGetsANodePortThatTwoAskFor) {
    World world;
    world.add(node_port_service("b", "10.96.0.2", 30080));
    world.add(node_port_service("a", "10.96.0.1", 30080));
    world.plan();
    EXPECT_THAT(world.frontends("a"), ElementsAre("10.96.0.1:80/TCP", "192.168.0.2:30080/TCP"));
    EXPECT_THAT(world.frontends("b"), ElementsAre("10.96.0.2:80/TCP")) << "it keeps its own frontend";
    EXPECT_EQ(
        world.problems("b"),
        "Service ns/b: nodePort 30080/TCP belongs to Service ns/a; choose another, or none to have one allocated\n");
    EXPECT_THAT(world.problems("a"), IsEmpty());
}

TEST(Conflicts, WhoHasItKeepsItAndTheNextInLineFollows) {
    World world;
    world.add(node_port_service("z", "10.96.0.9", 30080));
    world.plan();
    world.add(node_port_service("a", "10.96.0.1", 30080));
    world.plan();
    EXPECT_EQ(world.node_port("z"), 30080);
    EXPECT_EQ(world.node_port("a"), 0);
    world.remove("z");
    EXPECT_THAT(world.plan(), ElementsAre("a", "z"));
    EXPECT_EQ(world.node_port("a"), 30080);
    EXPECT_THAT(world.problems("a"), IsEmpty());
    EXPECT_THAT(world.of("z").ports, IsEmpty());
}

TEST(Conflicts, ARestartDoesNotChangeTheHolder) {
    World world;
    world.planner().adopt({{"ns/z:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 30080},
                           {"ns/z:http", abi::FRONTEND_CLUSTER_IP, address("10.96.0.9"), 80},
                           {"ns/y:http", abi::FRONTEND_EXTERNAL_IP, address("192.0.2.1"), 80}});
    world.add(node_port_service("z", "10.96.0.9", 30080));
    world.add(node_port_service("a", "10.96.0.1", 30080));
    for (auto name : {"y", "b"}) {
        auto external = service(name, "");
        external.external_ips = {address("192.0.2.1")};
        world.add(external);
    }
    world.plan();
    EXPECT_EQ(world.node_port("z"), 30080);
    EXPECT_EQ(world.frontends("y").size(), 2u);
    EXPECT_THAT(world.problems("b"), HasSubstr("externalIP 192.0.2.1:80/TCP belongs to Service ns/y"));
}

TEST(Conflicts, OneClusterIpBelongsToOneService) {
    World world;
    world.add(service("a", "10.96.0.1", {port("http", 80)}));
    world.add(service("b", "10.96.0.1", {port("other", 81)}));
    world.plan();
    EXPECT_THAT(world.frontends("b"), IsEmpty());
    EXPECT_THAT(world.problems("b"), HasSubstr("clusterIP 10.96.0.1 belongs to Service ns/a"));
}

TEST(Conflicts, AnExternalIpDoesNotCaptureAClusterIp) {
    World world;
    auto thief = service("a", "10.96.0.1");
    thief.external_ips = {address("10.96.0.2")};
    world.add(thief);
    world.add(service("b", "10.96.0.2"));
    world.plan();
    EXPECT_THAT(world.frontends("a"), ElementsAre("10.96.0.1:80/TCP"));
    EXPECT_THAT(world.frontends("b"), ElementsAre("10.96.0.2:80/TCP"));
    EXPECT_THAT(world.problems("a"), HasSubstr("externalIP 10.96.0.2:80/TCP belongs to Service ns/b"));
}

TEST(Conflicts, ANodePortAndAnExternalIpOnTheNodeAddress) {
    World world;
    auto external = service("a", "10.96.0.1", {port("http", 30080)});
    external.external_ips = {address("192.168.0.2")};
    world.add(external);
    world.plan();
    world.add(node_port_service("b", "10.96.0.2", 30080));
    world.plan();
    EXPECT_THAT(world.problems("b"), HasSubstr("nodePort 192.168.0.2:30080/TCP belongs to Service ns/a"));
    external.external_ips.clear();
    world.add(external);
    EXPECT_THAT(world.plan(), ElementsAre("a", "b"));
    EXPECT_EQ(world.node_port("b"), 30080);
}

TEST(Conflicts, ServicesCanTradeWithinOneChange) {
    World world;
    world.add(node_port_service("a", "10.96.0.1", 30001));
    world.add(node_port_service("b", "10.96.0.2", 30002));
    world.plan();
    world.add(node_port_service("a", "10.96.0.2", 30002));
    world.add(node_port_service("b", "10.96.0.1", 30001));
    world.plan();
    EXPECT_THAT(world.frontends("a"), ElementsAre("10.96.0.2:80/TCP", "192.168.0.2:30002/TCP"));
    EXPECT_THAT(world.frontends("b"), ElementsAre("10.96.0.1:80/TCP", "192.168.0.2:30001/TCP"));
    EXPECT_THAT(world.problems("a") + world.problems("b"), IsEmpty());
}

TEST(Conflicts, UdpAndTcpAreDifferentFrontends) {
    World world;
    world.add(node_port_service("a", "10.96.0.1", 30080));
    world.add(node_port_service("b", "10.96.0.2", 30080, model::Protocol::udp));
    world.plan();
    EXPECT_THAT(world.problems("a") + world.problems("b"), IsEmpty());
}

TEST(PlannerChanges, OnlyTheDirtyArePlanned) {
    World world;
    for (auto name : {"a", "b"}) world.add(service(name, ""));
    world.plan();
    world.add(slice("b", {{"10.0.0.1"}}));
    EXPECT_THAT(world.plan(), ElementsAre("b"));
    EXPECT_EQ(text(world.of("b").ports[0], world.of("b").ports[0].frontends[0].cluster), "10.0.0.1:8080");
    EXPECT_THAT(world.plan(), IsEmpty());
}

}  // namespace
}  // namespace weir::plan::test
