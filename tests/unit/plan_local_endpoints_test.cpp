// SPDX-License-Identifier: Apache-2.0
// The answer to a load balancer at healthCheckNodePort, and the Service that has that port.
#include "loader/plan/local_endpoints.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Case {
    std::string name;
    std::vector<At> endpoints;
    std::uint32_t count;
};

class LocalEndpoints : public testing::TestWithParam<Case> {};

TEST_P(LocalEndpoints, Count) {
    const auto& c = GetParam();
    EXPECT_EQ(ready_local_endpoints(service("web", "10.96.0.1"), {slice("web", c.endpoints)}, node()), c.count);
}

INSTANTIATE_TEST_SUITE_P(
    All, LocalEndpoints,
    testing::Values(Case{"none", {}, 0}, Case{"elsewhere", {{"10.0.1.1"}, {"10.0.1.2"}}, 0},
                    Case{"here", {{"10.0.0.1", "here"}, {"10.0.0.2", "here"}, {"10.0.1.1"}}, 2},
                    Case{"not_ready", {{"10.0.0.1", "here", State::not_ready}, {"10.0.0.2", "here"}}, 1},
                    // They still serve connections, but the load balancer should send no more.
                    Case{"draining", {{"10.0.0.1", "here", State::draining}}, 0},
                    Case{"twice", {{"10.0.0.1", "here"}, {"10.0.0.1", "here"}}, 1}),
    [](const auto& info) { return info.param.name; });

TEST(LocalEndpointsOf, SeveralPortsCountOnce) {
    auto web = service("web", "10.96.0.1", {port("http", 80), port("https", 443)});
    auto both = slice("web", {{"10.0.0.1", "here"}},
                      {{"http", model::Protocol::tcp, 8080}, {"https", model::Protocol::tcp, 8443}});
    auto one = slice("web", {{"10.0.0.1", "here"}, {"10.0.0.2", "here"}}, {{"https", model::Protocol::tcp, 8443}}, "2");
    EXPECT_EQ(ready_local_endpoints(web, {both, one}, node()), 2u);
    auto other = slice("web", {{"10.0.0.3", "here"}}, {{"metrics", model::Protocol::tcp, 9090}}, "3");
    EXPECT_EQ(ready_local_endpoints(web, {both, one, other}, node()), 2u);
}

TEST(LocalEndpointsOf, BothFamiliesOfOneEndpointCountOnce) {
    auto web = service("web", "10.96.0.1");
    auto ipv4 = slice("web", {{"10.0.0.1", "here"}, {"10.0.0.2", "here"}});
    auto ipv6 = slice("web", {{"fd00::1", "here"}, {"fd00::2", "here"}, {"fd00::3", "here"}}, {{"http", {}, 80}}, "6");
    ipv6.ports.front().protocol = model::Protocol::tcp;
    EXPECT_EQ(ready_local_endpoints(web, {ipv4, ipv6}, node()), 2u);
    web.ip_families = {model::Family::ipv4, model::Family::ipv6};
    EXPECT_EQ(ready_local_endpoints(web, {ipv4, ipv6}, node()), 3u);
}

model::Service balanced(const std::string& name, const std::string& cluster_ip, std::uint16_t check) {
    auto out = service(name, cluster_ip);
    out.type = model::ServiceType::load_balancer;
    out.external_traffic_policy = model::TrafficPolicy::local;
    out.health_check_node_port = check;
    return out;
}

std::map<std::string, ServicePlan> plans_of(const std::vector<model::Service>& services) {
    model::Cluster cluster;
    for (const auto& one : services) {
        cluster.apply(model::Upsert{one});
        cluster.apply(model::Upsert{std::vector{slice(one.name.name, {{"10.0.0.1", "here"}})}});
    }
    Planner planner(node());
    std::map<std::string, ServicePlan> out;
    for (auto& plan : planner.plan(cluster, cluster.take_dirty())) out[plan.service.name] = plan;
    return out;
}

TEST(HealthCheckOf, LocalLoadBalancersHaveOne) {
    auto plans = plans_of({balanced("web", "10.96.0.1", 32100)});
    EXPECT_EQ(plans["web"].health_check, (HealthCheck{.port = 32100, .local_endpoints = 1}));
    EXPECT_THAT(text(plans["web"].problems), Not(HasSubstr("healthCheckNodePort")));
}

TEST(HealthCheckOf, OthersHaveNoneAndAreTold) {
    auto cluster = balanced("cluster", "10.96.0.1", 32100);
    cluster.external_traffic_policy = model::TrafficPolicy::cluster;
    auto node_port = balanced("node-port", "10.96.0.2", 32101);
    node_port.type = model::ServiceType::node_port;
    auto plans = plans_of({cluster, node_port, balanced("silent", "10.96.0.3", 0)});
    EXPECT_FALSE(plans["cluster"].health_check);
    EXPECT_THAT(text(plans["cluster"].problems), HasSubstr("healthCheckNodePort 32100 is not answered"));
    EXPECT_FALSE(plans["node-port"].health_check);
    EXPECT_FALSE(plans["silent"].health_check);
    EXPECT_THAT(text(plans["silent"].problems), Not(HasSubstr("healthCheckNodePort")));
}

TEST(HealthCheckOf, TheFirstInNameOrderHasThePort) {
    auto plans = plans_of({balanced("b", "10.96.0.2", 32100), balanced("a", "10.96.0.1", 32100)});
    EXPECT_TRUE(plans["a"].health_check);
    EXPECT_FALSE(plans["b"].health_check);
    EXPECT_THAT(text(plans["b"].problems),
                HasSubstr("Service ns/b: healthCheckNodePort 32100 belongs to Service ns/a; choose another"));
}

TEST(HealthCheckOf, ANodePortOfAnotherComesFirstByItsName) {
    auto other = service("a", "10.96.0.2", {port("http", 80, model::Protocol::tcp, 32100)});
    other.type = model::ServiceType::node_port;
    auto plans = plans_of({balanced("b", "10.96.0.1", 32100), other});
    EXPECT_FALSE(plans["b"].health_check);
    EXPECT_THAT(text(plans["b"].problems), HasSubstr("healthCheckNodePort 32100 belongs to Service ns/a"));
}

TEST(HealthCheckOf, ItsOwnNodePortIsNoOtherPort) {
    auto web = balanced("web", "10.96.0.1", 32100);
    web.ports = {port("http", 80, model::Protocol::tcp, 32100)};
    auto plans = plans_of({web});
    EXPECT_FALSE(plans["web"].health_check);
    EXPECT_THAT(text(plans["web"].problems), HasSubstr("is the nodePort of port 80 too"));
    // The same port of UDP is no conflict.
    web.ports = {port("dns", 53, model::Protocol::udp, 32100)};
    EXPECT_TRUE(plans_of({web})["web"].health_check);
}

TEST(HealthCheckOf, NodePortsAreAllocatedAroundIt) {
    model::Cluster cluster;
    auto context = node();
    context.node_port_min = 30000;
    context.node_port_max = 30001;
    Planner planner(context);
    auto open = service("open", "10.96.0.1");
    open.type = model::ServiceType::node_port;
    cluster.apply(model::Upsert{open});
    auto allocated = planner.plan(cluster, cluster.take_dirty()).at(0).ports.at(0).frontends.back();
    ASSERT_EQ(allocated.kind, abi::FRONTEND_NODE_PORT);
    // A Service whose port was only allocated gives it up for the health check that names it.
    auto web = balanced("web", "10.96.0.2", allocated.port);
    web.allocate_node_ports = false;
    web.ports.front().protocol = model::Protocol::udp;
    cluster.apply(model::Upsert{web});
    std::map<std::string, ServicePlan> plans;
    for (auto& plan : planner.plan(cluster, cluster.take_dirty())) plans[plan.service.name] = plan;
    EXPECT_TRUE(plans["web"].health_check);
    ASSERT_TRUE(plans.contains("open"));
    EXPECT_EQ(plans["open"].ports.at(0).frontends.back().port, allocated.port == 30000 ? 30001 : 30000);
}

TEST(ClusterIps, AreInThePlan) {
    auto given = service("given", "10.96.0.9");
    auto absent = service("absent", "");
    auto headless = service("headless", "");
    headless.headless = true;
    auto plans = plans_of({given, absent, headless});
    EXPECT_EQ(plans["given"].cluster_ips, std::vector{address("10.96.0.9")});
    ASSERT_EQ(plans["absent"].cluster_ips.size(), 1u);
    EXPECT_TRUE(cidr("10.96.0.0/16").contains(plans["absent"].cluster_ips[0]));
    EXPECT_THAT(plans["headless"].cluster_ips, IsEmpty());
}

}  // namespace
}  // namespace weir::plan::test
