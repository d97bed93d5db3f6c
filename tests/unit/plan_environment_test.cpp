// SPDX-License-Identifier: Apache-2.0
// The environment variables that a container gets for Services. The cases follow the kubelet's own tests.
#include "loader/plan/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

model::Service in(const std::string& name_space, model::Service service) {
    service.name.name_space = name_space;
    return service;
}

std::vector<std::string> environment(const std::vector<model::Service>& services, const std::string& name_space = "ns",
                                     const NodeContext& context = node()) {
    model::Cluster cluster;
    for (const auto& one : services) cluster.apply(model::Upsert{one});
    Planner planner(context);
    auto plans = planner.plan(cluster, cluster.take_dirty());
    std::vector<std::string> out;
    for (const auto& variable : service_environment(name_space, cluster, plans))
        out.push_back(variable.name + "=" + variable.value);
    return out;
}

TEST(ServiceEnvironment, OfOneUnnamedPort) {
    EXPECT_THAT(
        environment({service("foo-bar", "10.96.0.1", {port("", 8080)})}),
        ElementsAre("FOO_BAR_SERVICE_HOST=10.96.0.1", "FOO_BAR_SERVICE_PORT=8080", "FOO_BAR_PORT=tcp://10.96.0.1:8080",
                    "FOO_BAR_PORT_8080_TCP=tcp://10.96.0.1:8080", "FOO_BAR_PORT_8080_TCP_PROTO=tcp",
                    "FOO_BAR_PORT_8080_TCP_PORT=8080", "FOO_BAR_PORT_8080_TCP_ADDR=10.96.0.1"));
}

TEST(ServiceEnvironment, OfNamedPorts) {
    auto dns =
        service("dns", "10.96.0.10",
                {port("dns-udp", 53, model::Protocol::udp), port("8080-web", 80), port("s", 5, model::Protocol::sctp)});
    EXPECT_THAT(
        environment({dns}),
        ElementsAre("DNS_SERVICE_HOST=10.96.0.10", "DNS_SERVICE_PORT=53", "DNS_SERVICE_PORT_DNS_UDP=53",
                    "DNS_SERVICE_PORT__8080_WEB=80", "DNS_SERVICE_PORT_S=5", "DNS_PORT=udp://10.96.0.10:53",
                    "DNS_PORT_53_UDP=udp://10.96.0.10:53", "DNS_PORT_53_UDP_PROTO=udp", "DNS_PORT_53_UDP_PORT=53",
                    "DNS_PORT_53_UDP_ADDR=10.96.0.10", "DNS_PORT_80_TCP=tcp://10.96.0.10:80",
                    "DNS_PORT_80_TCP_PROTO=tcp", "DNS_PORT_80_TCP_PORT=80", "DNS_PORT_80_TCP_ADDR=10.96.0.10",
                    "DNS_PORT_5_SCTP=sctp://10.96.0.10:5", "DNS_PORT_5_SCTP_PROTO=sctp", "DNS_PORT_5_SCTP_PORT=5",
                    "DNS_PORT_5_SCTP_ADDR=10.96.0.10"));
}

TEST(ServiceEnvironment, Ipv6InBracketsInUrlsAlone) {
    EXPECT_THAT(environment({service("six", "fd00::10", {port("", 80)})}),
                ElementsAre("SIX_SERVICE_HOST=fd00::10", "SIX_SERVICE_PORT=80", "SIX_PORT=tcp://[fd00::10]:80",
                            "SIX_PORT_80_TCP=tcp://[fd00::10]:80", "SIX_PORT_80_TCP_PROTO=tcp",
                            "SIX_PORT_80_TCP_PORT=80", "SIX_PORT_80_TCP_ADDR=fd00::10"));
}

TEST(ServiceEnvironment, OfTwoFamiliesThePrimaryOne) {
    auto context = node();
    context.service_cidrs = {cidr("10.96.0.0/16"), cidr("fd00:96::/112")};
    auto both = service("both", "");
    both.dual_stack = true;
    both.ip_families = {model::Family::ipv6, model::Family::ipv4};
    EXPECT_THAT(environment({both}, "ns", context), Contains(HasSubstr("BOTH_SERVICE_HOST=fd00:96::")));
}

TEST(ServiceEnvironment, AllocatedClusterIpsAreThoseOfThePlan) {
    auto web = service("web", "");
    model::Cluster cluster;
    cluster.apply(model::Upsert{web});
    auto address = Planner(node()).plan(cluster, cluster.take_dirty()).at(0).ports.at(0).frontends.at(0).address;
    EXPECT_THAT(environment({web}), Contains("WEB_SERVICE_HOST=" + address.to_string()));
}

TEST(ServiceEnvironment, WithoutClusterIpThereIsNothing) {
    auto headless = service("headless", "");
    headless.headless = true;
    auto external = service("external", "");
    external.type = model::ServiceType::external_name;
    external.external_name = "example.com";
    EXPECT_THAT(environment({headless, external}), IsEmpty());
}

TEST(ServiceEnvironment, AnotherProxysServicesHaveTheirsAllTheSame) {
    auto other = service("other", "10.96.0.7");
    other.other_proxy = true;
    EXPECT_THAT(environment({other}), Contains("OTHER_SERVICE_HOST=10.96.0.7"));
}

TEST(ServiceEnvironment, OfItsNamespaceAndTheApiServer) {
    std::vector services = {service("web", "10.96.0.2"), in("elsewhere", service("web", "10.96.0.3")),
                            in("default", service("shop", "10.96.0.4")),
                            in("default", service("kubernetes", "10.96.0.1", {port("https", 443)}))};
    auto ns = environment(services);
    EXPECT_THAT(ns, Contains("WEB_SERVICE_HOST=10.96.0.2"));
    EXPECT_THAT(ns, Contains("KUBERNETES_SERVICE_HOST=10.96.0.1"));
    EXPECT_THAT(ns, Contains("KUBERNETES_SERVICE_PORT_HTTPS=443"));
    EXPECT_THAT(ns, Not(Contains(HasSubstr("SHOP"))));
    EXPECT_THAT(environment(services, "default"), Contains("SHOP_SERVICE_HOST=10.96.0.4"));
    EXPECT_THAT(environment(services, "empty"), Contains("KUBERNETES_SERVICE_HOST=10.96.0.1"));
    // A Service of the pod's own namespace hides it.
    services.push_back(service("kubernetes", "10.96.0.9"));
    EXPECT_THAT(environment(services), Contains("KUBERNETES_SERVICE_HOST=10.96.0.9"));
    EXPECT_THAT(environment(services), Not(Contains("KUBERNETES_SERVICE_HOST=10.96.0.1")));
}

TEST(ServiceEnvironment, EachVariableOnce) {
    auto variables =
        environment({service("a", "10.96.0.1", {port("", 80)}), service("a-service", "10.96.0.2", {port("", 90)})});
    EXPECT_THAT(variables, Contains("A_SERVICE_PORT=tcp://10.96.0.2:90"));
    EXPECT_THAT(variables, Not(Contains("A_SERVICE_PORT=80")));
}

}  // namespace
}  // namespace weir::plan::test
