// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/frontends.hpp"

#include <gtest/gtest.h>

#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {
namespace {

// Returns a LoadBalancer Service with a frontend of every kind.
model::Service everywhere() {
    auto out = service("web", "10.96.0.1");
    out.type = model::ServiceType::load_balancer;
    out.external_ips = {address("192.0.2.1")};
    out.load_balancer = {{.ip = address("198.51.100.1"), .mode = model::IpMode::vip},
                         {.ip = address("198.51.100.2"), .mode = model::IpMode::proxy}};
    return out;
}

// Returns one line per frontend: "kind address:port from cluster | from outside".
std::string lines(const model::Service& service, const std::vector<At>& endpoints, const NodeContext& node,
                  std::uint16_t node_port = 30080) {
    const auto& port = service.ports.front();
    auto plan = plan_port(service, port, places_of(service, port, service.cluster_ips, node_port, node),
                          {slice(service.name.name, endpoints)}, node);
    std::string out;
    for (const auto& f : plan.frontends) {
        const char* kinds[] = {"", "ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"};
        out += std::string(kinds[f.kind]) + " " + model::to_string(f.address, f.port) + " " + text(plan, f.cluster) +
               " | " + text(plan, f.external) + (f.restricted ? " restricted" : "") + "\n";
    }
    return out;
}

const std::vector<At> both{{"10.0.0.1", "here"}, {"10.0.0.2", "other"}};
const std::vector<At> elsewhere{{"10.0.0.2", "other"}};

TEST(Frontends, EveryKindWithPolicyCluster) {
    EXPECT_EQ(lines(everywhere(), both, node()),
              "ClusterIP 10.96.0.1:80 10.0.0.1:8080 10.0.0.2:8080 | CLOSED\n"
              "NodePort 192.168.0.2:30080 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080 10.0.0.2:8080\n"
              "ExternalIP 192.0.2.1:80 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080 10.0.0.2:8080\n"
              "LoadBalancer 198.51.100.1:80 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080 10.0.0.2:8080\n");
}

TEST(Frontends, ExternalPolicyLocalWithTheShortCut) {
    auto service = everywhere();
    service.external_traffic_policy = model::TrafficPolicy::local;
    EXPECT_EQ(lines(service, both, node()),
              "ClusterIP 10.96.0.1:80 10.0.0.1:8080 10.0.0.2:8080 | CLOSED\n"
              "NodePort 192.168.0.2:30080 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080\n"
              "ExternalIP 192.0.2.1:80 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080\n"
              "LoadBalancer 198.51.100.1:80 10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080\n");
    EXPECT_EQ(lines(service, elsewhere, node()),
              "ClusterIP 10.96.0.1:80 10.0.0.2:8080 | CLOSED\n"
              "NodePort 192.168.0.2:30080 10.0.0.2:8080 | NO_LOCAL\n"
              "ExternalIP 192.0.2.1:80 10.0.0.2:8080 | NO_LOCAL\n"
              "LoadBalancer 198.51.100.1:80 10.0.0.2:8080 | NO_LOCAL\n");
}

TEST(Frontends, InternalPolicyLocal) {
    auto service = everywhere();
    service.internal_traffic_policy = model::TrafficPolicy::local;
    EXPECT_TRUE(lines(service, both, node()).starts_with("ClusterIP 10.96.0.1:80 10.0.0.1:8080 | CLOSED\n"));
    EXPECT_TRUE(lines(service, elsewhere, node()).starts_with("ClusterIP 10.96.0.1:80 NO_LOCAL | CLOSED\n"));
    auto open = node();
    open.external_cluster_ip = true;
    EXPECT_TRUE(lines(service, both, open).starts_with("ClusterIP 10.96.0.1:80 10.0.0.1:8080 | 10.0.0.1:8080\n"));
    EXPECT_TRUE(lines(service, elsewhere, open).starts_with("ClusterIP 10.96.0.1:80 NO_LOCAL | NO_LOCAL\n"));
}

TEST(Frontends, NoUsableEndpointAnywhereIsRejectedWhateverThePolicy) {
    auto service = everywhere();
    service.external_traffic_policy = model::TrafficPolicy::local;
    service.internal_traffic_policy = model::TrafficPolicy::local;
    EXPECT_EQ(lines(service, {{"10.0.0.1", "here", State::not_ready}}, node()),
              "ClusterIP 10.96.0.1:80 REJECT | CLOSED\n"
              "NodePort 192.168.0.2:30080 REJECT | REJECT\n"
              "ExternalIP 192.0.2.1:80 REJECT | REJECT\n"
              "LoadBalancer 198.51.100.1:80 REJECT | REJECT\n");
}

TEST(Frontends, TerminatingEndpointsServeTheSetThatHasNoOthers) {
    auto service = everywhere();
    service.external_traffic_policy = model::TrafficPolicy::local;
    EXPECT_TRUE(lines(service, {{"10.0.0.1", "here", State::draining}, {"10.0.0.2"}}, node())
                    .ends_with("LoadBalancer 198.51.100.1:80 10.0.0.2:8080 | 10.0.0.1:8080\n"));
}

TEST(Frontends, SourceRangesRestrictTheLoadBalancerAddressOnly) {
    auto service = everywhere();
    service.source_ranges = {cidr("203.0.113.0/24")};
    EXPECT_EQ(lines(service, elsewhere, node()),
              "ClusterIP 10.96.0.1:80 10.0.0.2:8080 | CLOSED\n"
              "NodePort 192.168.0.2:30080 10.0.0.2:8080 | 10.0.0.2:8080\n"
              "ExternalIP 192.0.2.1:80 10.0.0.2:8080 | 10.0.0.2:8080\n"
              "LoadBalancer 198.51.100.1:80 10.0.0.2:8080 | 10.0.0.2:8080 restricted\n");
    service.external_ips = {address("198.51.100.1")};
    EXPECT_TRUE(lines(service, elsewhere, node())
                    .ends_with("LoadBalancer 198.51.100.1:80 10.0.0.2:8080 | 10.0.0.2:8080 restricted\n"))
        << "an external IP with the same address does not open it";
    service.source_ranges = {cidr("0.0.0.0/0")};
    EXPECT_TRUE(lines(service, elsewhere, node()).ends_with("198.51.100.1:80 10.0.0.2:8080 | 10.0.0.2:8080\n"));
    service.source_ranges = {cidr("::/0")};
    EXPECT_TRUE(lines(service, elsewhere, node()).ends_with("198.51.100.1:80 10.0.0.2:8080 | 10.0.0.2:8080\n"))
        << "ranges of another family do not count";
}

TEST(Frontends, SourceRangesAreSortedAndNamedOnce) {
    auto service = everywhere();
    service.source_ranges = {cidr("203.0.113.0/24"), cidr("10.0.0.0/8"), cidr("203.0.113.0/24")};
    const auto& port = service.ports.front();
    auto places = places_of(service, port, service.cluster_ips, 0, node());
    auto slices = std::vector{slice("web", elsewhere)};
    EXPECT_EQ(plan_port(service, port, places, slices, node()).source_ranges,
              (std::vector{cidr("10.0.0.0/8"), cidr("203.0.113.0/24")}));
    service.type = model::ServiceType::node_port;
    places = places_of(service, port, service.cluster_ips, 0, node());
    EXPECT_TRUE(plan_port(service, port, places, slices, node()).source_ranges.empty());
}

TEST(Frontends, AffinityKnowsTheMembersOfBothSets) {
    auto service = everywhere();
    service.external_traffic_policy = model::TrafficPolicy::local;
    const auto& port = service.ports.front();
    auto places = places_of(service, port, service.cluster_ips, 30080, node());
    auto slices = std::vector{slice("web", both)};
    auto without = plan_port(service, port, places, slices, node());
    EXPECT_TRUE(without.cluster_members.empty());
    service.affinity_seconds = 100;
    auto with = plan_port(service, port, places, slices, node());
    EXPECT_EQ(text(with.cluster_members), "10.0.0.1:8080 10.0.0.2:8080");
    EXPECT_EQ(text(with.local_members), "10.0.0.1:8080");
    EXPECT_FALSE(with.frontends.at(1).cluster.local);
    EXPECT_TRUE(with.frontends.at(1).external.local);
}

TEST(Frontends, AddressesOfTheNodeAreKnown) {
    auto service = everywhere();
    service.external_ips = {address("192.168.0.2"), address("192.0.2.1")};
    const auto& port = service.ports.front();
    auto plan = plan_port(service, port, places_of(service, port, service.cluster_ips, 30080, node()),
                          {slice("web", both)}, node());
    std::string of_node;
    for (const auto& f : plan.frontends) of_node += f.of_node ? model::to_string(f.address, f.port) + " " : "";
    EXPECT_EQ(of_node, "192.168.0.2:30080 192.168.0.2:80 ");
}

TEST(Frontends, OnlyTheFamiliesOfTheService) {
    auto service = everywhere();
    service.external_ips = {address("192.0.2.1"), address("2001:db8::100")};
    EXPECT_EQ(lines(service, elsewhere, node()).find("2001:db8"), std::string::npos);
    service.cluster_ips.push_back(address("fd00::1"));
    EXPECT_EQ(lines(service, elsewhere, node()),
              "ClusterIP 10.96.0.1:80 10.0.0.2:8080 | CLOSED\n"
              "ClusterIP [fd00::1]:80 REJECT | CLOSED\n"
              "NodePort 192.168.0.2:30080 10.0.0.2:8080 | 10.0.0.2:8080\n"
              "NodePort [2001:db8::2]:30080 REJECT | REJECT\n"
              "ExternalIP 192.0.2.1:80 10.0.0.2:8080 | 10.0.0.2:8080\n"
              "ExternalIP [2001:db8::100]:80 REJECT | REJECT\n"
              "LoadBalancer 198.51.100.1:80 10.0.0.2:8080 | 10.0.0.2:8080\n");
}

TEST(Frontends, EqualSetsAreShared) {
    auto service = everywhere();
    service.external_traffic_policy = model::TrafficPolicy::local;
    const auto& p = service.ports.front();
    auto sets = [&](const std::vector<At>& endpoints) {
        return plan_port(service, p, places_of(service, p, service.cluster_ips, 30080, node()),
                         {slice("web", endpoints)}, node())
            .sets.size();
    };
    EXPECT_EQ(sets(both), 2u);
    EXPECT_EQ(sets({{"10.0.0.1", "here"}}), 1u) << "local and cluster set are the same";
    EXPECT_EQ(sets({}), 0u);
}

TEST(Families, GivenOrDefault) {
    auto ipv6_only = node(), dual = node(), bare = node();
    ipv6_only.service_cidrs = {cidr("fd00:96::/108")};
    dual.service_cidrs = {cidr("10.96.0.0/16"), cidr("fd00:96::/108")};
    bare.service_cidrs.clear();
    using enum model::Family;
    using Families = std::vector<model::Family>;
    auto unset = service("web", "");
    EXPECT_EQ(families_of(unset, node()), Families{ipv4});
    EXPECT_EQ(families_of(unset, ipv6_only), Families{ipv6});
    EXPECT_EQ(families_of(unset, dual), Families{ipv4});
    EXPECT_EQ(families_of(unset, bare), Families{ipv4});
    unset.dual_stack = true;
    EXPECT_EQ(families_of(unset, dual), (Families{ipv4, ipv6}));
    EXPECT_EQ(families_of(unset, node()), Families{ipv4});
    unset.ip_families = {ipv6};
    EXPECT_EQ(families_of(unset, dual), (Families{ipv6, ipv4}));
}

}  // namespace
}  // namespace weir::plan::test
