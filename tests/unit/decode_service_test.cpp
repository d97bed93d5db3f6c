// SPDX-License-Identifier: Apache-2.0
// Services: types, ports, selector, policies, affinity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Service, Defaults) {
    auto service = web_service("ports: [{port: 80}]");
    EXPECT_EQ(service.name, (ObjectName{"ns", "web"}));
    EXPECT_EQ(service.origin.file, "f.yaml");
    EXPECT_EQ(service.origin.line, 1);
    EXPECT_EQ(service.type, ServiceType::cluster_ip);
    EXPECT_FALSE(service.headless);
    EXPECT_FALSE(service.other_proxy);
    EXPECT_FALSE(service.dual_stack);
    EXPECT_FALSE(service.publish_not_ready);
    EXPECT_TRUE(service.allocate_node_ports);
    EXPECT_EQ(service.external_traffic_policy, TrafficPolicy::cluster);
    EXPECT_EQ(service.internal_traffic_policy, TrafficPolicy::cluster);
    EXPECT_EQ(service.affinity_seconds, std::nullopt);
    EXPECT_EQ(service.health_check_node_port, 0);
    EXPECT_THAT(service.cluster_ips, IsEmpty());
    EXPECT_THAT(service.ip_families, IsEmpty());
    EXPECT_THAT(service.selector, IsEmpty());
    EXPECT_EQ(service.ports, (std::vector<ServicePort>{{.name = "", .port = 80, .target_port = {}}}));
}

TEST(Service, NamespaceDefaultsToDefault) {
    for (auto metadata : {"{name: web}", "{name: web, namespace: \"\"}", "{name: web, namespace: null}"}) {
        auto decoded = from_yaml(
            fmt::format("{{apiVersion: v1, kind: Service, metadata: {}, spec: {{ports: [{{port: 1}}]}}}}", metadata));
        EXPECT_EQ(only<Service>(decoded).name.to_string(), "default/web") << metadata;
    }
}

TEST(ServiceType, Each) {
    EXPECT_EQ(web_service("type: ClusterIP, ports: [{port: 80}]").type, ServiceType::cluster_ip);
    EXPECT_EQ(web_service("type: NodePort, ports: [{port: 80}]").type, ServiceType::node_port);
    EXPECT_EQ(web_service("type: LoadBalancer, ports: [{port: 80}]").type, ServiceType::load_balancer);
    EXPECT_EQ(web_service("type: ExternalName, externalName: db.example.com").type, ServiceType::external_name);
    EXPECT_EQ(web_service("type: \"\", ports: [{port: 80}]").type, ServiceType::cluster_ip);
    EXPECT_THAT(problems(web("type: Nodeport, ports: [{port: 80}]")),
                HasSubstr("f.yaml:4: Service ns/web: spec.type: \"Nodeport\" is unknown; use ClusterIP, NodePort, "
                          "LoadBalancer, ExternalName"));
}

TEST(ServiceExternalName, NeedsADnsName) {
    EXPECT_EQ(web_service("type: ExternalName, externalName: db.example.com.").external_name, "db.example.com.");
    EXPECT_THAT(problems(web("type: ExternalName")), HasSubstr("spec.externalName: is missing"));
    EXPECT_THAT(problems(web("type: ExternalName, externalName: \"\"")), HasSubstr("spec.externalName: is missing"));
    EXPECT_THAT(problems(web("type: ExternalName, externalName: \"db_1.example.com\"")),
                HasSubstr("spec.externalName: \"db_1.example.com\" is not a DNS name; use"));
}

TEST(ServiceLabels, MarkWhatIsNotOurs) {
    EXPECT_TRUE(web_service("ports: [{port: 80}]", ", labels: {service.kubernetes.io/headless: \"\"}").headless);
    EXPECT_TRUE(
        web_service("ports: [{port: 80}]", ", labels: {service.kubernetes.io/service-proxy-name: x}").other_proxy);
    EXPECT_TRUE(
        web_service("ports: [{port: 80}]", ", labels: {service.kubernetes.io/service-proxy-name: \"\"}").other_proxy)
        << "the label counts, whatever its value";
    auto other =
        web_service("ports: [{port: 80}]", ", annotations: {service.kubernetes.io/headless: \"\"}, labels: {app: web}");
    EXPECT_FALSE(other.headless);
}

TEST(ServiceSelector, IsTextOnly) {
    EXPECT_EQ(web_service("ports: [{port: 80}], selector: {app: web, tier: front}").selector,
              (Labels{{"app", "web"}, {"tier", "front"}}));
    EXPECT_THAT(problems(web("ports: [{port: 80}], selector: {app.kubernetes.io/part: 1}")),
                HasSubstr("spec.selector[\"app.kubernetes.io/part\"]: 1 is a number, not text; put it in quotes"));
    EXPECT_THAT(problems(web("ports: [{port: 80}], selector: [app]")),
                HasSubstr("spec.selector: a list is written here; use a map"));
}

TEST(ServicePorts, InFull) {
    auto service = web_service(
        "type: NodePort, ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080},"
        "{name: dns, port: 53, protocol: UDP, targetPort: dns-udp}, {name: m3ua, port: 2905, protocol: SCTP}]");
    EXPECT_THAT(service.ports, ElementsAre(ServicePort{"http", Protocol::tcp, 80, std::uint16_t{8080}, 30080},
                                           ServicePort{"dns", Protocol::udp, 53, "dns-udp", 0},
                                           ServicePort{"m3ua", Protocol::sctp, 2905, {}, 0}));
}

TEST(ServicePorts, FromOneTo65535) {
    EXPECT_EQ(web_service("ports: [{port: 1}]").ports.at(0).port, 1);
    EXPECT_EQ(web_service("ports: [{port: 65535, targetPort: 65535}]").ports.at(0).port, 65535);
    for (auto number : {"0", "-1", "65536", "70000", "4294967376", "1.5", "true", "http", "[80]"}) {
        EXPECT_THAT(problems(web(fmt::format("ports: [{{port: {}}}]", number))),
                    HasSubstr("f.yaml:4: Service ns/web: spec.ports[0].port: "));
        EXPECT_THAT(problems(web(fmt::format("ports: [{{port: {}}}]", number))),
                    HasSubstr("is not a port; use 1 to 65535"));
    }
    EXPECT_THAT(problems(web("ports: [{name: http}]")), HasSubstr("spec.ports[0].port: is missing; use 1 to 65535"));
    EXPECT_THAT(problems(web("ports: [{port: 80, targetPort: 0}]")),
                HasSubstr("spec.ports[0].targetPort: 0 is not a port; use 1 to 65535"));
}

TEST(ServicePorts, TargetByName) {
    EXPECT_EQ(web_service("ports: [{port: 80, targetPort: http}]").ports.at(0).target_port, TargetPort("http"));
    EXPECT_EQ(web_service("ports: [{port: 80, targetPort: \"\"}]").ports.at(0).target_port, TargetPort());
    EXPECT_THAT(problems(web("ports: [{port: 80, targetPort: \"8080\"}]")),
                HasSubstr("\"8080\" in quotes is the name of a port, not its number; leave the quotes out"));
    EXPECT_THAT(problems(web("ports: [{port: 80, targetPort: a-name-that-is-too-long}]")),
                HasSubstr("spec.ports[0].targetPort: \"a-name-that-is-too-long\" is not a valid name; use at most 15"));
}

TEST(ServicePorts, NodePorts) {
    auto node_port = [](std::string_view type, std::string_view number) {
        return web(fmt::format("type: {}, ports: [{{port: 80, nodePort: {}}}]", type, number));
    };
    EXPECT_EQ(only<Service>(node_port("NodePort", "30000")).ports.at(0).node_port, 30000);
    EXPECT_EQ(only<Service>(node_port("LoadBalancer", "65535")).ports.at(0).node_port, 65535);
    EXPECT_EQ(only<Service>(node_port("ClusterIP", "0")).ports.at(0).node_port, 0) << "0 means none";
    EXPECT_THAT(problems(node_port("NodePort", "65536")),
                HasSubstr("spec.ports[0].nodePort: 65536 is not a port; use 0 to 65535"));
    EXPECT_THAT(problems(node_port("ClusterIP", "30000")),
                HasSubstr("spec.ports[0].nodePort: is not for type ClusterIP; use type NodePort or LoadBalancer"));
}

TEST(ServicePorts, ProtocolsAsKubernetesWritesThem) {
    EXPECT_EQ(web_service("ports: [{port: 80, protocol: \"\"}]").ports.at(0).protocol, Protocol::tcp);
    for (auto text : {"tcp", "ICMP", "TCP/UDP"})
        EXPECT_THAT(problems(web(fmt::format("ports: [{{port: 80, protocol: {}}}]", text))),
                    HasSubstr("is not a protocol; use TCP, UDP or SCTP"));
}

TEST(ServicePorts, SeveralNeedNames) {
    EXPECT_EQ(
        problems(web("ports: [{port: 80, name: a}, {port: 81}]")),
        "error f.yaml:4: Service ns/web: spec.ports[1].name: is missing; each port of a Service with several needs "
        "a name\n");
    EXPECT_THAT(problems(web("ports: [{port: 80, name: a}, {port: 81, name: \"\"}]")),
                HasSubstr("spec.ports[1].name: is missing"));
    EXPECT_THAT(problems(web("ports: [{port: 80, name: My_Port}]")),
                HasSubstr("\"My_Port\" is not a valid name; use at most 63"));
}

TEST(ServicePorts, AreUnique) {
    EXPECT_EQ(problems(web("ports: [{port: 80, name: a}, {port: 81, name: a}]")),
              "error f.yaml:4: Service ns/web: spec.ports[1].name: \"a\" is that of spec.ports[0] already\n");
    EXPECT_EQ(problems(web("ports: [{port: 80, name: a}, {port: 443, name: b}, {port: 80, name: c}]")),
              "error f.yaml:4: Service ns/web: spec.ports[2].port: 80/TCP is that of spec.ports[0] already\n");
    EXPECT_EQ(
        problems(
            web("type: NodePort, ports: [{port: 80, name: a, nodePort: 30000}, {port: 81, name: b, nodePort: 30000}]")),
        "error f.yaml:4: Service ns/web: spec.ports[1].nodePort: 30000/TCP is that of spec.ports[0] already\n");
    EXPECT_EQ(problems(web("type: NodePort, ports: [{port: 53, name: a, nodePort: 30053},"
                           "{port: 53, name: b, nodePort: 30053, protocol: UDP}]")),
              "")
        << "each protocol has its own node ports";
}

TEST(ServicePorts, OneAtLeastUnlessNothingIsServed) {
    for (auto spec : {"type: NodePort", "ports: []", "ports: null", "type: LoadBalancer, ports: []"})
        EXPECT_THAT(problems(web(spec)), HasSubstr("spec.ports: is empty; a Service needs a port, unless")) << spec;
    EXPECT_THAT(web_service("clusterIP: None").ports, IsEmpty());
    EXPECT_THAT(web_service("type: ExternalName, externalName: a.b").ports, IsEmpty());
}

TEST(ServicePolicies, Each) {
    auto service = web_service("ports: [{port: 80}], externalTrafficPolicy: Local, internalTrafficPolicy: Cluster");
    EXPECT_EQ(service.external_traffic_policy, TrafficPolicy::local);
    EXPECT_EQ(service.internal_traffic_policy, TrafficPolicy::cluster);
    service = web_service("ports: [{port: 80}], externalTrafficPolicy: Cluster, internalTrafficPolicy: Local");
    EXPECT_EQ(service.external_traffic_policy, TrafficPolicy::cluster);
    EXPECT_EQ(service.internal_traffic_policy, TrafficPolicy::local);
    EXPECT_THAT(problems(web("ports: [{port: 80}], externalTrafficPolicy: local")),
                HasSubstr("spec.externalTrafficPolicy: \"local\" is unknown; use Cluster, Local"));
}

TEST(ServiceAffinity, ThreeHoursByDefault) {
    EXPECT_EQ(web_service("ports: [{port: 80}], sessionAffinity: ClientIP").affinity_seconds, 10800u);
    EXPECT_EQ(web_service("ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}")
                  .affinity_seconds,
              10800u);
    EXPECT_EQ(web_service("ports: [{port: 80}], sessionAffinity: None").affinity_seconds, std::nullopt);
}

TEST(ServiceAffinity, OneSecondToOneDay) {
    auto with = [](std::string_view seconds) {
        return web(
            fmt::format("ports: [{{port: 80}}], sessionAffinity: ClientIP, "
                        "sessionAffinityConfig: {{clientIP: {{timeoutSeconds: {}}}}}",
                        seconds));
    };
    EXPECT_EQ(only<Service>(with("1")).affinity_seconds, 1u);
    EXPECT_EQ(only<Service>(with("86400")).affinity_seconds, 86400u);
    for (auto seconds : {"0", "-5", "86401", "1h"})
        EXPECT_THAT(problems(with(seconds)), HasSubstr("spec.sessionAffinityConfig.clientIP.timeoutSeconds: "))
            << seconds;
    EXPECT_THAT(problems(with("0")), HasSubstr("0 is not a number of seconds for affinity; use 1 to 86400"));
}

TEST(ServiceAffinity, ATimeoutAloneIsWarnedAbout) {
    auto decoded = web("ports: [{port: 80}], sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}");
    EXPECT_EQ(problems(decoded),
              "warning f.yaml:4: Service ns/web: spec.sessionAffinityConfig: has no effect without "
              "sessionAffinity: ClientIP\n");
    ASSERT_EQ(decoded.objects.size(), 1u);
    EXPECT_EQ(std::get<Service>(decoded.objects[0]).affinity_seconds, std::nullopt);
}

TEST(ServiceFlags, AsWritten) {
    auto service = web_service(
        "type: LoadBalancer, ports: [{port: 80}], publishNotReadyAddresses: true, "
        "allocateLoadBalancerNodePorts: false, healthCheckNodePort: 32000, externalTrafficPolicy: Local");
    EXPECT_TRUE(service.publish_not_ready);
    EXPECT_FALSE(service.allocate_node_ports);
    EXPECT_EQ(service.health_check_node_port, 32000);
    EXPECT_THAT(problems(web("ports: [{port: 80}], publishNotReadyAddresses: \"true\"")),
                HasSubstr("spec.publishNotReadyAddresses: \"true\" is not a boolean; use true or false"));
    EXPECT_THAT(problems(web("ports: [{port: 80}], healthCheckNodePort: 65536")),
                HasSubstr("65536 is not a port; use 0 to 65535"));
}

TEST(Service, KnowsTheFieldsItDoesNotRead) {
    EXPECT_EQ(problems(web("ports: [{port: 80, appProtocol: kubernetes.io/h2c}], loadBalancerClass: a.b/c, "
                           "trafficDistribution: PreferClose")),
              "");
}

}  // namespace
}  // namespace weir::model::test
