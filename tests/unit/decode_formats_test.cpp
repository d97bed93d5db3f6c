// SPDX-License-Identifier: Apache-2.0
// The same content means the same in YAML and in JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_describe.hpp"

namespace weir::model::test {
namespace {

struct Same {
    std::string_view name;
    std::string_view yaml;
    std::string_view json;
};
class Formats : public testing::TestWithParam<Same> {};

TEST_P(Formats, DecodeAlike) {
    auto yaml = from_yaml(GetParam().yaml), json = from_json(GetParam().json);
    EXPECT_EQ(problems(yaml), "");
    EXPECT_EQ(problems(json), "");
    EXPECT_THAT(yaml.objects, testing::Not(testing::IsEmpty()));
    EXPECT_EQ(describe(yaml), describe(json));
    EXPECT_EQ(yaml.skipped, json.skipped);
}

TEST_P(Formats, JsonIsYaml) {
    auto yaml = from_yaml(GetParam().json), json = from_json(GetParam().json);
    EXPECT_EQ(problems(yaml), "");
    EXPECT_EQ(describe(yaml), describe(json));
}

constexpr std::string_view service_yaml = R"(# a comment
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  labels: {app: web}   # another
  annotations:
    note: |-
      two
      lines
    folded: >-
      one
      line
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  clusterIPs:
  - 10.96.0.1
  - fd00:96::1
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector:
    app: 'web'
    version: "1.10"
  ports:
  - name: http
    port: 80
    targetPort: http
    nodePort: 30080
  -
    name: dns
    port: 53
    targetPort: 5353
    protocol: UDP
  sessionAffinity: ClientIP
  sessionAffinityConfig:
    clientIP:
      timeoutSeconds: 600
  loadBalancerSourceRanges: [203.0.113.0/24, "2001:db8::/32"]
  externalIPs: [192.0.2.1]
  externalTrafficPolicy: Local
  healthCheckNodePort: 32100
  publishNotReadyAddresses: true
  allocateLoadBalancerNodePorts: false
status:
  loadBalancer:
    ingress:
    - ip: 198.51.100.1
      ipMode: Proxy
    - ip: 2001:db8::1
)";
constexpr std::string_view service_json = R"({
  "apiVersion": "v1", "kind": "Service",
  "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"},
               "annotations": {"note": "two\nlines", "folded": "one line"}},
  "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00:96::1"],
           "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
           "selector": {"app": "web", "version": "1.10"},
           "ports": [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080},
                     {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"}],
           "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}},
           "loadBalancerSourceRanges": ["203.0.113.0/24", "2001:db8::\/32"], "externalIPs": ["192.0.2.1"],
           "externalTrafficPolicy": "Local", "healthCheckNodePort": 32100, "publishNotReadyAddresses": true,
           "allocateLoadBalancerNodePorts": false},
  "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1", "ipMode": "Proxy"}, {"ip": "2001:db8::1"}]}}
})";

constexpr std::string_view slices_yaml = R"(apiVersion: v1
kind: List
items:
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
  addressType: IPv4
  endpoints:
  - &first
    addresses: [10.0.0.1]
    conditions: {ready: true, serving: true, terminating: false}
    nodeName: n1
    hints: {forZones: [{name: a}]}
  - addresses: [10.0.0.2]
    conditions: {ready: false, serving: true, terminating: true}
  ports:
  - {name: http, port: 8080, protocol: TCP}
- apiVersion: v1
  kind: Endpoints
  metadata: {name: db, namespace: shop}
  subsets:
  - addresses: [{ip: 10.0.1.1, nodeName: n1}, {ip: 'fd00::1'}]
    notReadyAddresses: [{ip: 10.0.1.2}]
    ports: [{port: 5432}]
- apiVersion: v1
  kind: ConfigMap
)";
constexpr std::string_view slices_json = R"({"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
   "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
   "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": true, "terminating": false},
                  "nodeName": "n1", "hints": {"forZones": [{"name": "a"}]}},
                 {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": true, "terminating": true}}],
   "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]},
  {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "shop"},
   "subsets": [{"addresses": [{"ip": "10.0.1.1", "nodeName": "n1"}, {"ip": "fd00::1"}],
                "notReadyAddresses": [{"ip": "10.0.1.2"}], "ports": [{"port": 5432}]}]},
  {"apiVersion": "v1", "kind": "ConfigMap"}]})";

constexpr std::string_view pod_yaml = R"(---
kind: Pod
apiVersion: v1
metadata:
  name: web-0
  labels:
    app: web
spec:
  nodeName: n1
  hostname: web-0
  subdomain: web
  hostNetwork: false
  containers:
    - name: app
      ports:
        - name: http
          containerPort: 8080
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs:
    - ip: 10.0.0.1
  conditions:
    - type: Ready
      status: "True"
...
)";
constexpr std::string_view pod_json =
    R"({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web-0", "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "hostname": "web-0", "subdomain": "web", "hostNetwork": false,
                 "containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
                   "conditions": [{"type": "Ready", "status": "True"}]}})";

constexpr std::string_view nodes_yaml = R"(apiVersion: v1
kind: NodeList
items:
- metadata:
    name: n1
    labels: {topology.kubernetes.io/zone: a}
  spec: {podCIDRs: [10.1.0.0/24, 'fd00:1::/64'], taints: [{key: ToBeDeletedByClusterAutoscaler}]}
  status:
    addresses:
    - {type: InternalIP, address: 192.168.0.1}
    - {type: ExternalIP, address: 203.0.113.1}
- metadata: {name: n2}
)";
constexpr std::string_view nodes_json =
    R"({"apiVersion": "v1", "kind": "NodeList", "items": [
        {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}},
         "spec": {"podCIDRs": ["10.1.0.0/24", "fd00:1::/64"], "taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]},
         "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"},
                                  {"type": "ExternalIP", "address": "203.0.113.1"}]}},
        {"metadata": {"name": "n2"}}]})";

constexpr std::string_view aliased_yaml = R"(apiVersion: v1
kind: Service
metadata: {name: web, labels: &labels {app: web, tier: front}}
spec:
  selector: *labels
  ports:
  - &port {name: a, protocol: SCTP, port: 80}
)";
constexpr std::string_view aliased_json =
    R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}},
        "spec": {"selector": {"app": "web", "tier": "front"},
                 "ports": [{"name": "a", "protocol": "SCTP", "port": 80}]}})";

INSTANTIATE_TEST_SUITE_P(Kinds, Formats,
                         testing::Values(Same{"service", service_yaml, service_json},
                                         Same{"slices", slices_yaml, slices_json}, Same{"pod", pod_yaml, pod_json},
                                         Same{"nodes", nodes_yaml, nodes_json},
                                         Same{"aliases", aliased_yaml, aliased_json}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(FormatPairs, CoverEveryField) {
    auto full = describe(from_yaml(service_yaml)).at(0);
    for (auto field : {"families 4 6 dual true", "target \"http\" node 30080", "target 5353", "lb 198.51.100.1 Proxy",
                       "policies 1 0", "affinity 600 health 32100 not_ready true allocate false", "\"2001:db8::/32\""})
        EXPECT_THAT(full, testing::HasSubstr(field));
}

}  // namespace
}  // namespace weir::model::test
