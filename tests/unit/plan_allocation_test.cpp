// SPDX-License-Identifier: Apache-2.0
// The ClusterIP and NodePort of a Service that names none, and how long it keeps them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loader/plan/allocate.hpp"
#include "tests/unit/plan_world.hpp"

namespace weir::plan::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Returns a node with two addresses to allocate.
NodeContext small_node(std::uint16_t first_port, std::uint16_t last_port) {
    auto out = node();
    out.service_cidrs = {cidr("10.96.0.0/30")};
    out.node_port_min = first_port;
    out.node_port_max = last_port;
    return out;
}

TEST(Allocation, IsAFunctionOfTheManifests) {
    World one, two;
    for (auto name : {"a", "b", "c"}) one.add(service(name, ""));
    for (auto name : {"c", "b", "a"}) two.add(service(name, ""));
    one.plan();
    two.plan();
    std::set<model::Address> distinct;
    for (auto name : {"a", "b", "c"}) {
        EXPECT_EQ(one.cluster_ip(name), two.cluster_ip(name));
        EXPECT_TRUE(cidr("10.96.0.0/16").contains(one.cluster_ip(name)));
        distinct.insert(one.cluster_ip(name));
    }
    EXPECT_EQ(distinct.size(), 3u);
}

TEST(Allocation, StaysWhileTheServiceLives) {
    World world;
    world.add(service("web", ""));
    world.plan();
    auto ip = world.cluster_ip("web");
    world.add(service("another", ""));
    world.add(service("web", "", {port("http", 8080)}));
    world.plan();
    EXPECT_EQ(world.cluster_ip("web"), ip);
    world.add(service("web", "10.96.9.9"));
    world.plan();
    EXPECT_EQ(world.cluster_ip("web"), address("10.96.9.9"));
}

TEST(Allocation, PrefersWhatWasHeldBeforeARestart) {
    World world;
    world.planner().adopt({{"ns/web:http", abi::FRONTEND_CLUSTER_IP, address("10.96.7.7"), 80},
                           {"ns/web:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 31000},
                           {"ns/far:http", abi::FRONTEND_CLUSTER_IP, address("10.97.7.7"), 80},
                           {"ns/gone:http", abi::FRONTEND_CLUSTER_IP, address("10.96.7.8"), 80}});
    world.add(node_port_service("web", "", 0));
    world.add(service("far", ""));
    world.plan();
    EXPECT_EQ(world.cluster_ip("web"), address("10.96.7.7"));
    EXPECT_EQ(world.node_port("web"), 31000);
    EXPECT_NE(world.cluster_ip("far"), address("10.97.7.7")) << "it is outside of the range now";
}

// The Service's file is broken, so there is no object, but the maps still have its frontends.
TEST(Allocation, WhatIsKeptForAnAbsentServiceGoesToNobody) {
    World world(small_node(30000, 30001));
    world.planner().adopt({{"ns/absent:http", abi::FRONTEND_CLUSTER_IP, address("10.96.0.1"), 80},
                           {"ns/absent:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 30001}});
    world.planner().keep_adopted(true);
    for (auto name : {"a", "b"}) world.add(node_port_service(name, "", 0));
    world.plan();
    EXPECT_EQ(world.cluster_ip("a"), address("10.96.0.2"));
    EXPECT_EQ(world.node_port("a"), 30000);
    EXPECT_THAT(world.problems("b"), HasSubstr("no ClusterIP left"));
    EXPECT_THAT(world.problems("b"), HasSubstr("no NodePort left"));

    world.add(node_port_service("absent", "", 0));
    world.plan();
    EXPECT_EQ(world.cluster_ip("absent"), address("10.96.0.1"));
    EXPECT_EQ(world.node_port("absent"), 30001);
}

TEST(Allocation, WhatIsKeptOfOneProtocolIsNotKeptOfAnother) {
    World world;
    world.planner().adopt(
        {{"ns/absent:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 31000, model::Protocol::udp},
         {"ns/web:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 31000, model::Protocol::tcp}});
    world.planner().keep_adopted(true);
    world.add(node_port_service("web", "", 0));
    world.plan();
    EXPECT_EQ(world.node_port("web"), 31000);
}

TEST(Allocation, WhatAServiceHadThatGoesMeanwhileIsKeptToo) {
    World world(small_node(30000, 30000));
    world.planner().keep_adopted(true);
    world.add(node_port_service("a", "", 0));
    world.plan();
    world.remove("a");
    world.add(node_port_service("b", "", 0));
    world.plan();
    EXPECT_EQ(world.node_port("b"), 0) << "the maps still serve that port";
    world.planner().keep_adopted(false);
    world.plan();
    EXPECT_EQ(world.node_port("b"), 30000);
}

TEST(Allocation, WhatWasKeptIsFreeWhenItsServiceIsKnownToBeGone) {
    World world(small_node(30000, 30000));
    world.planner().adopt({{"ns/absent:http", abi::FRONTEND_CLUSTER_IP, address("10.96.0.1"), 80},
                           {"ns/absent:http", abi::FRONTEND_NODE_PORT, address("192.168.0.2"), 30000}});
    world.planner().keep_adopted(true);
    for (auto name : {"a", "b"}) world.add(node_port_service(name, "", 0));
    world.plan();
    EXPECT_EQ(world.node_port("a") + world.node_port("b"), 0);
    world.planner().keep_adopted(false);
    world.plan();
    EXPECT_EQ(world.node_port("a"), 30000);
    EXPECT_EQ(world.cluster_ip("b"), address("10.96.0.1"));
}

TEST(Allocation, MakesWayForAnExplicitAddress) {
    World world;
    world.add(node_port_service("a", "", 0));
    world.plan();
    auto ip = world.cluster_ip("a");
    auto number = world.node_port("a");
    world.add(node_port_service("b", ip.to_string(), number));
    EXPECT_THAT(world.plan(), ElementsAre("a", "b"));
    EXPECT_EQ(world.cluster_ip("b"), ip);
    EXPECT_EQ(world.node_port("b"), number);
    EXPECT_NE(world.cluster_ip("a"), ip);
    EXPECT_NE(world.node_port("a"), number);
    EXPECT_THAT(world.problems("a") + world.problems("b"), IsEmpty());
}

TEST(Allocation, SmallRangesRunOutAndServicesAreTriedAgain) {
    World world(small_node(30000, 30001));
    for (auto name : {"a", "b", "c"}) world.add(node_port_service(name, "", 0));
    world.plan();
    EXPECT_NE(world.cluster_ip("a"), world.cluster_ip("b"));
    EXPECT_THAT(world.problems("c"),
                HasSubstr("no ClusterIP left to allocate in 10.96.0.0/30: make serviceCIDR larger"));
    EXPECT_THAT(world.problems("c"), HasSubstr("no NodePort left to allocate in 30000-30001 for port 80/TCP: make "
                                               "nodePortRange larger"));
    world.remove("a");
    EXPECT_THAT(world.plan(), ElementsAre("a", "c"));
    EXPECT_THAT(world.problems("c"), IsEmpty());
    EXPECT_NE(world.node_port("c"), 0);
}

TEST(Allocation, NeedsARangeOfTheFamily) {
    World world;
    auto six = service("six", "");
    six.ip_families = {model::Family::ipv6};
    world.add(six);
    world.plan();
    EXPECT_THAT(world.problems("six"),
                HasSubstr("no IPv6 ClusterIP can be allocated: add an IPv6 range to serviceCIDR"));
}

TEST(Allocation, DualStackGetsOneOfEach) {
    auto dual = node();
    dual.service_cidrs = {cidr("10.96.0.0/16"), cidr("fd00:96::/64")};
    World world(dual);
    auto web = service("web", "");
    web.dual_stack = true;
    world.add(web);
    world.plan();
    auto frontends = world.frontends("web");
    ASSERT_EQ(frontends.size(), 2u);
    EXPECT_TRUE(frontends[0].starts_with("10.96."));
    EXPECT_TRUE(frontends[1].starts_with("[fd00:96::"));
}

TEST(Allocation, TcpAndUdpMayShareANumber) {
    auto one_port = node();
    one_port.node_port_min = one_port.node_port_max = 30000;
    World world(one_port);
    world.add(node_port_service("tcp", "10.96.0.1", 0));
    world.add(node_port_service("udp", "10.96.0.2", 0, model::Protocol::udp));
    world.plan();
    EXPECT_EQ(world.node_port("tcp"), 30000);
    EXPECT_EQ(world.node_port("udp"), 30000);
}

TEST(AllocationRange, EndsAreLeftOut) {
    struct Case {
        std::string range;
        std::vector<std::string> usable;
    };
    for (const auto& [range, usable] :
         {Case{"10.0.0.0/29", {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}},
          Case{"10.0.0.0/30", {"10.0.0.1", "10.0.0.2"}}, Case{"10.0.0.0/31", {}}, Case{"10.0.0.0/32", {}},
          Case{"fd00::/126", {"fd00::1", "fd00::2", "fd00::3"}}, Case{"fd00::/128", {}}}) {
        std::set<model::Address> given;
        auto free = [&](const model::Address& a) { return !given.contains(a); };
        while (auto next = allocate_cluster_ip(cidr(range), "ns/web", free)) {
            EXPECT_TRUE(is_allocatable(cidr(range), *next)) << next->to_string();
            given.insert(*next);
        }
        std::set<model::Address> expected;
        for (const auto& text : usable) expected.insert(address(text));
        EXPECT_EQ(given, expected) << range;
    }
    EXPECT_FALSE(is_allocatable(cidr("10.0.0.0/29"), address("10.0.0.7")));
    EXPECT_FALSE(is_allocatable(cidr("10.0.0.0/29"), address("10.0.0.0")));
}

TEST(AllocationRange, HugeRangesAreUsedAtOnce) {
    for (auto range : {"fd00::/108", "fd00::/64", "fd00::/8", "::/0"}) {
        auto all = [](const model::Address&) { return true; };
        auto a = allocate_cluster_ip(cidr(range), "ns/a", all), b = allocate_cluster_ip(cidr(range), "ns/b", all);
        ASSERT_TRUE(a && b);
        EXPECT_TRUE(cidr(range).contains(*a)) << a->to_string();
        EXPECT_NE(*a, *b);
    }
}

}  // namespace
}  // namespace weir::plan::test
