// SPDX-License-Identifier: Apache-2.0
// Allocation and conflicts: what several Services make of one set of addresses and ports.
#include "loader/plan/planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loader/plan/allocate.hpp"
#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class World {
public:
    explicit World(NodeContext context = node()) : node_(std::move(context)), planner_(node_) {}

    void add(model::Service service) { cluster_.apply(model::Upsert{std::move(service)}); }
    void add(model::EndpointSlice slice) { cluster_.apply(model::Upsert{std::vector{std::move(slice)}}); }
    void remove(const std::string& name) { cluster_.apply(model::Remove{model::Kind::service, {"ns", name}}); }
    Planner& planner() { return planner_; }

    // Plans what is dirty; answers the names of the Services that plans came back for.
    std::vector<std::string> plan() { return keep(planner_.plan(cluster_, cluster_.take_dirty())); }
    std::vector<std::string> plan_all(NodeContext context) {
        planner_.set_node(std::move(context));
        std::vector<model::ObjectName> names;
        for (const auto& [name, service] : cluster_.services()) names.push_back(name);
        return keep(planner_.plan(cluster_, names));
    }

    const ServicePlan& of(const std::string& name) const { return plans_.at(name); }
    std::string problems(const std::string& name) const { return text(of(name).problems); }
    // "10.96.0.1:80/TCP" of every port, in order.
    std::vector<std::string> frontends(const std::string& name) const {
        std::vector<std::string> out;
        for (const auto& port : of(name).ports) {
            for (const auto& f : port.frontends)
                out.push_back(model::to_string(f.address, f.port) + "/" + std::string(model::to_string(port.protocol)));
        }
        return out;
    }
    model::Address cluster_ip(const std::string& name) const {
        for (const auto& f : of(name).ports.at(0).frontends) {
            if (f.kind == abi::FRONTEND_CLUSTER_IP) return f.address;
        }
        return {};
    }
    std::uint16_t node_port(const std::string& name) const {
        for (const auto& f : of(name).ports.at(0).frontends) {
            if (f.kind == abi::FRONTEND_NODE_PORT) return f.port;
        }
        return 0;
    }

private:
    std::vector<std::string> keep(std::vector<ServicePlan> plans) {
        std::vector<std::string> names;
        for (auto& plan : plans) {
            names.push_back(plan.service.name);
            plans_[plan.service.name] = std::move(plan);
        }
        return names;
    }

    NodeContext node_;
    model::Cluster cluster_;
    Planner planner_;
    std::map<std::string, ServicePlan> plans_;
};

model::Service node_port_service(const std::string& name, const std::string& ip, std::uint16_t number,
                                 model::Protocol protocol = model::Protocol::tcp) {
    auto out = service(name, ip, {port("http", 80, protocol, number)});
    out.type = model::ServiceType::node_port;
    return out;
}

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
    EXPECT_NE(world.cluster_ip("far"), address("10.97.7.7")) << "outside of the range by now";
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
    auto small = node();
    small.service_cidrs = {cidr("10.96.0.0/30")};  // two addresses
    small.node_port_min = 30000;
    small.node_port_max = 30001;
    World world(small);
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

TEST(Conflicts, TheSmallerNameGetsANodePortThatTwoAskFor) {
    World world;
    world.add(node_port_service("b", "10.96.0.2", 30080));
    world.add(node_port_service("a", "10.96.0.1", 30080));
    world.plan();
    EXPECT_THAT(world.frontends("a"), ElementsAre("10.96.0.1:80/TCP", "192.168.0.2:30080/TCP"));
    EXPECT_THAT(world.frontends("b"), ElementsAre("10.96.0.2:80/TCP")) << "keeps what is its own";
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
