// SPDX-License-Identifier: Apache-2.0
// The few fields of Pods and Nodes that weir reads. The others cause no problems.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// spec is in line 4, status in line 5.
decode::Decoded pod_of(std::string_view spec, std::string_view status,
                       std::string_view metadata = "name: web-0, namespace: ns") {
    return from_yaml(fmt::format("apiVersion: v1\nkind: Pod\nmetadata: {{{}}}\nspec: {{{}}}\nstatus: {{{}}}\n",
                                 metadata, spec, status));
}
Pod pod(std::string_view spec, std::string_view status, std::string_view metadata = "name: web-0, namespace: ns") {
    return only<Pod>(pod_of(spec, status, metadata));
}

TEST(Pod, InFull) {
    auto web =
        pod("nodeName: n1, hostname: web-0, subdomain: web, hostNetwork: true, containers: ["
            "{name: a, ports: [{name: http, containerPort: 8080}, {containerPort: 53, protocol: UDP, hostPort: 53}]},"
            "{name: b, ports: [{name: sctp, containerPort: 65535, protocol: SCTP}]}, {name: c}]",
            "phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: \"fd00::1\"}], "
            "conditions: [{type: Initialized, status: \"False\"}, {type: Ready, status: \"True\"}]",
            "name: web-0, namespace: ns, labels: {app: web}");
    EXPECT_EQ(web.name, (ObjectName{"ns", "web-0"}));
    EXPECT_EQ(web.origin.line, 1);
    EXPECT_EQ(web.labels, (Labels{{"app", "web"}}));
    EXPECT_EQ(web.node_name, "n1");
    EXPECT_TRUE(web.host_network);
    EXPECT_THAT(texts(web.ips), ElementsAre("10.0.0.1", "fd00::1"));
    EXPECT_TRUE(web.ready);
    EXPECT_FALSE(web.finished);
    EXPECT_FALSE(web.terminating);
    ASSERT_THAT(web.ports, SizeIs(3));
    EXPECT_EQ(web.ports[0].name, "http");
    EXPECT_EQ(web.ports[0].port, 8080);
    EXPECT_EQ(web.ports[0].protocol, Protocol::tcp);
    EXPECT_EQ(web.ports[1].protocol, Protocol::udp);
    EXPECT_EQ(web.ports[2].protocol, Protocol::sctp);
    EXPECT_EQ(web.ports[2].port, 65535);
}

TEST(Pod, NotYetScheduled) {
    auto fresh = only<Pod>(from_yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"));
    EXPECT_FALSE(fresh.ready);
    EXPECT_FALSE(fresh.finished);
    EXPECT_FALSE(fresh.host_network);
    EXPECT_THAT(fresh.ips, IsEmpty());
    EXPECT_THAT(fresh.ports, IsEmpty());
    EXPECT_EQ(fresh.node_name, "");
}

TEST(Pod, ReadyIsTheConditionOfThatName) {
    auto ready = [](std::string_view conditions) { return pod("", fmt::format("conditions: {}", conditions)).ready; };
    EXPECT_TRUE(ready("[{type: Ready, status: \"True\"}]"));
    EXPECT_FALSE(ready("[{type: Ready, status: \"False\"}]"));
    EXPECT_FALSE(ready("[{type: Ready, status: Unknown}]"));
    EXPECT_FALSE(ready("[{type: ContainersReady, status: \"True\"}]"));
    EXPECT_FALSE(ready("[]"));
    EXPECT_THAT(problems(pod_of("", "conditions: [{type: Ready, status: True}]")),
                HasSubstr("status.conditions[0].status: True is a boolean, not text; put it in quotes"));
}

TEST(Pod, FinishedByItsPhase) {
    EXPECT_TRUE(pod("", "phase: Succeeded").finished);
    EXPECT_TRUE(pod("", "phase: Failed").finished);
    EXPECT_FALSE(pod("", "phase: Running").finished);
    EXPECT_FALSE(pod("", "phase: Pending").finished);
}

TEST(Pod, TerminatingWhenItsDeletionIsSet) {
    EXPECT_TRUE(pod("", "", "name: a, deletionTimestamp: \"2024-01-01T00:00:00Z\"").terminating);
    EXPECT_TRUE(pod("", "", "name: a, deletionTimestamp: 2024-01-01T00:00:00Z").terminating);
    EXPECT_FALSE(pod("", "", "name: a, deletionTimestamp: null").terminating);
}

TEST(Pod, AddressesFromTheListElseTheSingleField) {
    EXPECT_THAT(texts(pod("", "podIP: 10.0.0.1").ips), ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(pod("", "podIP: 10.0.0.1, podIPs: []").ips), ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(pod("", "podIP: 10.0.0.1, podIPs: [{ip: \"fd00::1\"}]").ips), ElementsAre("fd00::1"));
    EXPECT_THAT(pod("", "podIP: \"\"").ips, IsEmpty());
    EXPECT_THAT(problems(pod_of("", "podIP: 10.0.0")),
                HasSubstr("f.yaml:5: Pod ns/web-0: status.podIP: \"10.0.0\" is not an IP address"));
    EXPECT_THAT(problems(pod_of("", "podIPs: [{ip: 127.0.0.1}]")),
                HasSubstr("status.podIPs[0].ip: \"127.0.0.1\" is a loopback address"));
}

TEST(Pod, SidecarsServeInitContainersDoNot) {
    auto ports = pod("initContainers: [{name: a, ports: [{containerPort: 1}]}, {name: b, restartPolicy: Always, ports: "
                     "[{containerPort: 2}]}],"
                     "containers: [{name: c, ports: [{containerPort: 3}]}], ephemeralContainers: [{name: d, ports: "
                     "[{containerPort: 4}]}]",
                     "")
                     .ports;
    ASSERT_THAT(ports, SizeIs(2));
    EXPECT_EQ(ports[0].port, 3);
    EXPECT_EQ(ports[1].port, 2);
}

TEST(Pod, BadPorts) {
    auto bad = [](std::string_view port) {
        return problems(pod_of(fmt::format("containers: [{{ports: [{{{}}}]}}]", port), ""));
    };
    EXPECT_EQ(bad("containerPort: 70000"),
              "error f.yaml:4: Pod ns/web-0: spec.containers[0].ports[0].containerPort: 70000 is not a port; use 1 to "
              "65535\n");
    EXPECT_THAT(bad("name: http"), HasSubstr("containerPort: is missing; use 1 to 65535"));
    EXPECT_THAT(bad("containerPort: 80, name: \"80\""), HasSubstr("ports[0].name: \"80\" is not a valid name"));
    EXPECT_THAT(bad("containerPort: 80, protocol: http"), HasSubstr("use TCP, UDP or SCTP"));
}

TEST(Pod, UnknownFieldsAreNoneOfOurBusiness) {
    EXPECT_EQ(problems(pod_of("volumes: [{name: x}], containers: [{image: x, env: [{name: A, value: b}]}], brandNew: 1",
                              "qosClass: Burstable, containerStatuses: [{restartCount: 3}]", "name: a, brandNew: {}")),
              "");
}

TEST(Pod, KeysStandOnce) {
    auto twice = from_yaml(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {podIP: 10.0.0.1}\nstatus: {podIP: 10.0.0.2}\n");
    EXPECT_EQ(problems(twice), "error f.yaml:5: Pod default/a: status: is given twice; keep one\n");
}

decode::Decoded node_of(std::string_view spec, std::string_view status, std::string_view metadata = "name: n1") {
    return from_yaml(fmt::format("apiVersion: v1\nkind: Node\nmetadata: {{{}}}\nspec: {{{}}}\nstatus: {{{}}}\n",
                                 metadata, spec, status));
}

TEST(Node, InFull) {
    auto node =
        only<Node>(node_of("podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, \"fd00:1::/64\"], providerID: x",
                           "addresses: [{type: Hostname, address: n1}, {type: InternalIP, address: 192.168.0.2},"
                           "{type: ExternalIP, address: 203.0.113.2}, {type: InternalIP, address: \"2001:db8::2\"},"
                           "{type: InternalDNS, address: n1.local}], capacity: {cpu: 4}",
                           "name: n1, labels: {topology.kubernetes.io/zone: a, x: z}"));
    EXPECT_EQ(node.name, (ObjectName{"", "n1"}));
    EXPECT_EQ(node.zone, "a");
    EXPECT_EQ(node.labels.at("x"), "z");
    EXPECT_THAT(texts(node.internal_ips), ElementsAre("192.168.0.2", "2001:db8::2"));
    EXPECT_THAT(texts(node.external_ips), ElementsAre("203.0.113.2"));
    EXPECT_THAT(texts(node.pod_cidrs), ElementsAre("10.1.0.0/24", "fd00:1::/64"));
    EXPECT_FALSE(node.to_be_deleted);
}

TEST(Node, IsInNoNamespace) {
    EXPECT_EQ(only<Node>(node_of("", "", "name: n1, namespace: ns")).name.to_string(), "n1");
    EXPECT_EQ(only<Node>(node_of("", "", "name: ip-10-0-0-1.eu-west-1.compute.internal")).zone, "");
}

TEST(Node, ASinglePodCidr) {
    EXPECT_THAT(texts(only<Node>(node_of("podCIDR: 10.1.0.0/24", "")).pod_cidrs), ElementsAre("10.1.0.0/24"));
    EXPECT_THAT(only<Node>(node_of("podCIDR: \"\"", "")).pod_cidrs, IsEmpty());
    EXPECT_EQ(problems(node_of("podCIDRs: [10.1.0.0]", "")),
              "error f.yaml:4: Node n1: spec.podCIDRs[0]: \"10.1.0.0\" is not a CIDR; use one such as 10.0.1.0/24\n");
}

TEST(Node, LeavesTheCluster) {
    auto leaves = [](std::string_view spec, std::string_view metadata = "name: n1") {
        return only<Node>(node_of(spec, "", metadata)).to_be_deleted;
    };
    EXPECT_TRUE(
        leaves("taints: [{key: a, effect: NoSchedule}, {key: ToBeDeletedByClusterAutoscaler, value: \"1\", effect: "
               "NoSchedule}]"));
    EXPECT_FALSE(
        leaves("taints: [{key: DeletionCandidateOfClusterAutoscaler, effect: PreferNoSchedule}], unschedulable: true"));
    EXPECT_TRUE(leaves("", "name: n1, deletionTimestamp: \"2024-01-01T00:00:00Z\""));
}

TEST(Node, Bad) {
    EXPECT_EQ(problems(node_of("", "addresses: [{type: InternalIP, address: n1}]")),
              "error f.yaml:5: Node n1: status.addresses[0].address: \"n1\" is not an IP address\n");
    EXPECT_THAT(problems(node_of("", "addresses: n1")),
                HasSubstr("status.addresses: text is written here; use a list"));
    EXPECT_THAT(problems(node_of("", "", "name: N1")), HasSubstr("Node: metadata.name: \"N1\" is not a valid name"));
    auto twice = from_yaml("apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {}\nspec: {}\n");
    EXPECT_EQ(problems(twice), "error f.yaml:5: Node a: spec: is given twice; keep one\n");
}

}  // namespace
}  // namespace weir::model::test
