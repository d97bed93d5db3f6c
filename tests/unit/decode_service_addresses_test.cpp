// SPDX-License-Identifier: Apache-2.0
// Services: cluster IPs and families, external IPs, load balancer, source ranges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using enum Family;

// Decodes a Service with a port and `more` in its spec, which is line 4 of the manifest.
decode::Decoded with(std::string_view more, std::string_view metadata = "") {
    return web(fmt::format("ports: [{{port: 80}}], {}", more), metadata);
}
Service service_with(std::string_view more, std::string_view metadata = "") {
    return only<Service>(with(more, metadata));
}

TEST(ClusterIps, TheSingleFieldAlone) {
    auto service = service_with("clusterIP: 10.96.0.1");
    EXPECT_THAT(texts(service.cluster_ips), ElementsAre("10.96.0.1"));
    EXPECT_THAT(service.ip_families, ElementsAre(ipv4));
    EXPECT_FALSE(service.dual_stack);
    EXPECT_THAT(service_with("clusterIP: \"\", clusterIPs: []").cluster_ips, IsEmpty());
    EXPECT_THAT(service_with("clusterIP: \"fd00::1\"").ip_families, ElementsAre(ipv6));
}

TEST(ClusterIps, TheListAlone) {
    EXPECT_THAT(texts(service_with("clusterIPs: [10.96.0.1]").cluster_ips), ElementsAre("10.96.0.1"));
}

TEST(ClusterIps, OfBothFamilies) {
    auto service = service_with("clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, \"fd00::1\"]");
    EXPECT_THAT(texts(service.cluster_ips), ElementsAre("10.96.0.1", "fd00::1"));
    EXPECT_THAT(service.ip_families, ElementsAre(ipv4, ipv6));
    EXPECT_TRUE(service.dual_stack);
    service = service_with(
        "clusterIPs: [\"fd00::1\", 10.96.0.1], ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack");
    EXPECT_THAT(texts(service.cluster_ips), ElementsAre("fd00::1", "10.96.0.1"));
    EXPECT_THAT(service.ip_families, ElementsAre(ipv6, ipv4));
}

TEST(ClusterIps, TheListExtendsTheSingleField) {
    EXPECT_THAT(problems(with("clusterIP: 10.96.0.1, clusterIPs: [10.96.0.2]")),
                HasSubstr("spec.clusterIPs[0]: \"10.96.0.2\" is not the clusterIP \"10.96.0.1\"; the two must agree"));
    EXPECT_THAT(problems(with("clusterIPs: [10.96.0.1, 10.96.0.2]")),
                HasSubstr("spec.clusterIPs[1]: \"10.96.0.2\" is a second IPv4 address; use one per family"));
    EXPECT_THAT(problems(with("clusterIPs: [10.96.0.1, \"fd00::1\", \"fd00::2\"]")),
                HasSubstr("spec.clusterIPs[2]: is one too many; a Service has at most one clusterIP per family"));
}

TEST(ClusterIps, NoneMakesItHeadless) {
    EXPECT_TRUE(service_with("clusterIP: None").headless);
    EXPECT_TRUE(service_with("clusterIPs: [None]").headless);
    EXPECT_TRUE(service_with("clusterIP: None, clusterIPs: [None]").headless);
    EXPECT_THAT(service_with("clusterIP: None, clusterIPs: [None]").cluster_ips, IsEmpty());
    EXPECT_THAT(problems(with("clusterIP: none")), HasSubstr("spec.clusterIP: \"none\" is not an IP address"));
    EXPECT_THAT(problems(with("clusterIP: None, clusterIPs: [10.96.0.1]")),
                HasSubstr("spec.clusterIPs[0]: \"10.96.0.1\" contradicts clusterIP: None"));
    EXPECT_THAT(problems(with("clusterIP: 10.96.0.1, clusterIPs: [None]")),
                HasSubstr("None goes with no other clusterIP"));
    EXPECT_THAT(problems(with("clusterIPs: [10.96.0.1, None]")), HasSubstr("None goes with no other clusterIP"));
    for (auto type : {"NodePort", "LoadBalancer"})
        EXPECT_THAT(problems(with(fmt::format("clusterIP: None, type: {}", type))),
                    HasSubstr("spec.clusterIP: None is not for type NodePort or LoadBalancer"));
}

TEST(ClusterIps, CanBeReached) {
    for (auto [ip, why] : {std::pair{"0.0.0.0", "the unspecified address"},
                           {"127.0.0.1", "a loopback address"},
                           {"\"::1\"", "a loopback address"},
                           {"169.254.1.1", "a link-local address"},
                           {"\"fe80::1\"", "a link-local address"},
                           {"224.0.0.1", "a multicast address"}}) {
        EXPECT_THAT(problems(with(fmt::format("clusterIP: {}", ip))),
                    HasSubstr(fmt::format("is {}; use an address that can be reached from elsewhere", why)));
        EXPECT_THAT(problems(with(fmt::format("externalIPs: [{}]", ip))), HasSubstr("spec.externalIPs[0]: "));
    }
    for (auto ip : {"10.96.0", "010.96.0.1", "10.96.0.1/32", "web", "\"fe80::1%eth0\""})
        EXPECT_THAT(problems(with(fmt::format("clusterIP: {}", ip))), HasSubstr("is not an IP address")) << ip;
    EXPECT_THAT(problems(with("clusterIP: 10")), HasSubstr("spec.clusterIP: 10 is a number, not text"));
}

TEST(Families, AsWritten) {
    auto service = service_with("ipFamilies: [IPv6], ipFamilyPolicy: PreferDualStack");
    EXPECT_THAT(service.ip_families, ElementsAre(ipv6));
    EXPECT_TRUE(service.dual_stack);
    EXPECT_FALSE(service_with("ipFamilies: [IPv6], ipFamilyPolicy: SingleStack").dual_stack);
    EXPECT_TRUE(service_with("ipFamilies: [IPv4, IPv6]").dual_stack) << "two families mean dual stack by themselves";
    EXPECT_THAT(service_with("ipFamilies: [IPv4, IPv6], clusterIPs: [10.96.0.1]").ip_families, ElementsAre(ipv4, ipv6));
}

TEST(Families, Contradictions) {
    EXPECT_THAT(problems(with("ipFamilies: [IPv5]")),
                HasSubstr("spec.ipFamilies[0]: \"IPv5\" is unknown; use IPv4, IPv6"));
    EXPECT_THAT(problems(with("ipFamilies: [IPv4, IPv4]")), HasSubstr("spec.ipFamilies[1]: \"IPv4\" is one too many"));
    EXPECT_THAT(problems(with("ipFamilies: [IPv4, IPv6, IPv4]")),
                HasSubstr("spec.ipFamilies[2]: \"IPv4\" is one too many"));
    EXPECT_THAT(problems(with("ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack")),
                HasSubstr("spec.ipFamilyPolicy: SingleStack contradicts two families; use"));
    EXPECT_THAT(problems(with("ipFamilies: [IPv6], clusterIP: 10.96.0.1")),
                HasSubstr("spec.clusterIP: 10.96.0.1 is an IPv4 address, but ipFamilies[0] is IPv6"));
    EXPECT_THAT(problems(with("ipFamilies: [IPv4, IPv6], clusterIPs: [\"fd00::1\", 10.96.0.1]")),
                HasSubstr("spec.clusterIPs: fd00::1 is an IPv6 address, but ipFamilies[0] is IPv4"));
    EXPECT_THAT(problems(with("ipFamilyPolicy: DualStack")),
                HasSubstr("\"DualStack\" is unknown; use SingleStack, PreferDualStack, RequireDualStack"));
}

TEST(ExternalIps, InTheirOrder) {
    EXPECT_THAT(texts(service_with("externalIPs: [203.0.113.9, \"2001:db8::9\", 192.0.2.1]").external_ips),
                ElementsAre("203.0.113.9", "2001:db8::9", "192.0.2.1"));
    EXPECT_THAT(problems(with("externalIPs: 203.0.113.9")),
                HasSubstr("spec.externalIPs: text is written here; use a list"));
}

decode::Decoded balanced(std::string_view ingress, std::string_view spec = "type: LoadBalancer") {
    return from_yaml(
        fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: ns}}\n"
                    "spec: {{ports: [{{port: 80}}], {}}}\nstatus: {{loadBalancer: {{ingress: {}}}}}\n",
                    spec, ingress));
}

TEST(LoadBalancer, IngressOfTheStatus) {
    auto service =
        only<Service>(balanced("[{ip: 198.51.100.1}, {ip: \"2001:db8::1\", ipMode: VIP}, "
                               "{ip: 198.51.100.2, ipMode: Proxy, ports: [{port: 80, protocol: TCP}]}]"));
    EXPECT_THAT(service.load_balancer, ElementsAre(LoadBalancerIngress{address("198.51.100.1"), IpMode::vip},
                                                   LoadBalancerIngress{address("2001:db8::1"), IpMode::vip},
                                                   LoadBalancerIngress{address("198.51.100.2"), IpMode::proxy}));
}

TEST(LoadBalancer, AHostNameIsLeftToDns) {
    EXPECT_THAT(
        only<Service>(balanced("[{hostname: lb.example.com}, {hostname: x.example.com, ip: \"\"}]")).load_balancer,
        IsEmpty());
}

TEST(LoadBalancer, BadIngress) {
    EXPECT_EQ(
        problems(balanced("[{ip: 198.51.100.1}, {ip: lb.example.com}]")),
        "error f.yaml:5: Service ns/web: status.loadBalancer.ingress[1].ip: \"lb.example.com\" is not an IP address\n");
    EXPECT_THAT(problems(balanced("[{ip: 198.51.100.1, ipMode: Vip}]")),
                HasSubstr("ipMode: \"Vip\" is unknown; use VIP, Proxy"));
    EXPECT_THAT(problems(balanced("[{ip: 127.0.0.1}]")), HasSubstr("is a loopback address"));
    EXPECT_THAT(problems(balanced("{ip: 198.51.100.1}")),
                HasSubstr("status.loadBalancer.ingress: a map is written here; use a list"));
}

TEST(LoadBalancer, TheWantedAddressStandsInForAStatus) {
    EXPECT_THAT(service_with("type: LoadBalancer, loadBalancerIP: 198.51.100.7").load_balancer,
                ElementsAre(LoadBalancerIngress{address("198.51.100.7"), IpMode::vip}));
    EXPECT_THAT(only<Service>(balanced("[{ip: 198.51.100.1}]", "type: LoadBalancer, loadBalancerIP: 198.51.100.7"))
                    .load_balancer,
                ElementsAre(LoadBalancerIngress{address("198.51.100.1"), IpMode::vip}));
    EXPECT_THAT(only<Service>(balanced("[]", "type: LoadBalancer, loadBalancerIP: 198.51.100.7")).load_balancer.size(),
                1u);
    EXPECT_THAT(
        only<Service>(balanced("[{hostname: a.b}]", "type: LoadBalancer, loadBalancerIP: 198.51.100.7")).load_balancer,
        IsEmpty())
        << "the load balancer has a hostname only";
    EXPECT_THAT(service_with("type: NodePort, loadBalancerIP: 198.51.100.7").load_balancer, IsEmpty());
    EXPECT_THAT(problems(with("type: LoadBalancer, loadBalancerIP: lb")),
                HasSubstr("spec.loadBalancerIP: \"lb\" is not an IP address"));
}

constexpr auto annotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
std::string annotated(std::string_view ranges) {
    return fmt::format(", annotations: {{{}: \"{}\"}}", annotation, ranges);
}

TEST(SourceRanges, OfTheField) {
    EXPECT_THAT(
        texts(
            service_with(
                "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.7/24, \" 10.0.0.0/8\\t\", \"2001:db8::/32\"]")
                .source_ranges),
        ElementsAre("203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32"));
    EXPECT_THAT(
        problems(with("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, 10.0.0.1]")),
        HasSubstr("spec.loadBalancerSourceRanges[1]: \"10.0.0.1\" is not a CIDR; use one such as 192.0.2.0/24"));
    EXPECT_THAT(problems(with("type: LoadBalancer, loadBalancerSourceRanges: [\"\"]")), HasSubstr("is not a CIDR"));
}

TEST(SourceRanges, OfTheLegacyAnnotation) {
    auto ranges = [](std::string_view text) {
        return texts(service_with("type: LoadBalancer", annotated(text)).source_ranges);
    };
    EXPECT_THAT(ranges("203.0.113.0/24,10.0.0.0/8"), ElementsAre("203.0.113.0/24", "10.0.0.0/8"));
    EXPECT_THAT(ranges("  203.0.113.0/24 ,\\t2001:db8::/32\\n"), ElementsAre("203.0.113.0/24", "2001:db8::/32"));
    EXPECT_THAT(ranges(""), IsEmpty());
    EXPECT_THAT(ranges("  "), IsEmpty());
}

TEST(SourceRanges, ABadAnnotationLetsNobodyIn) {
    for (auto text : {"10.0.0.0/8,", "10.0.0.0/8,,10.1.0.0/16", "10.0.0.0/8;10.1.0.0/16", "all"}) {
        auto decoded = with("type: LoadBalancer", annotated(text));
        EXPECT_TRUE(decoded.objects.empty()) << text;
        EXPECT_THAT(problems(decoded), HasSubstr(fmt::format("the annotation {} has ", annotation)));
    }
}

TEST(SourceRanges, TheFieldGoesBeforeTheAnnotation) {
    EXPECT_THAT(texts(service_with("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]", annotated("0.0.0.0/0"))
                          .source_ranges),
                ElementsAre("10.0.0.0/8"));
    EXPECT_THAT(
        texts(service_with("type: LoadBalancer, loadBalancerSourceRanges: []", annotated("10.0.0.0/8")).source_ranges),
        ElementsAre("10.0.0.0/8"));
    EXPECT_THAT(service_with("type: NodePort", annotated("not looked at")).source_ranges, IsEmpty());
}

}  // namespace
}  // namespace weir::model::test
