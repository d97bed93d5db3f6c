// SPDX-License-Identifier: Apache-2.0
// EndpointSlices, and Endpoints as slices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Slices = std::vector<EndpointSlice>;

// Decodes the slice web-1 of ns/web with these endpoints (in line 6) and ports (in line 7).
decode::Decoded slice_of(std::string_view endpoints, std::string_view ports = "[]", std::string_view type = "IPv4") {
    return from_yaml(
        fmt::format("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
                    "metadata:\n  {{name: web-1, namespace: ns, labels: {{kubernetes.io/service-name: web}}}}\n"
                    "addressType: {}\nendpoints: {}\nports: {}\n",
                    type, endpoints, ports));
}

EndpointSlice slice(const decode::Decoded& decoded) {
    auto slices = only<Slices>(decoded);
    EXPECT_THAT(slices, SizeIs(1));
    return slices.empty() ? EndpointSlice() : slices.front();
}

Endpoint endpoint(std::string_view conditions) {
    auto endpoints = slice(slice_of(fmt::format("[{{addresses: [10.0.0.1], {}}}]", conditions))).endpoints;
    EXPECT_THAT(endpoints, SizeIs(1));
    return endpoints.empty() ? Endpoint() : endpoints.front();
}

TEST(EndpointSlice, InFull) {
    auto web = slice(slice_of(
        "[{addresses: [10.0.0.1, 10.0.0.2], hostname: web-0, nodeName: n1, zone: a,\n"
        " targetRef: {kind: Pod, name: web-0}, hints: {forZones: [{name: a}, {name: b}], forNodes: [{name: n1}]}}]",
        "[{name: http, port: 8080}, {name: dns, port: 53, protocol: UDP, appProtocol: x}]"));
    EXPECT_EQ(web.name, (ObjectName{"ns", "web-1"}));
    EXPECT_EQ(web.origin.line, 1);
    EXPECT_EQ(web.service, "web");
    EXPECT_EQ(web.family, Family::ipv4);
    EXPECT_FALSE(web.fqdn);
    EXPECT_FALSE(web.from_endpoints);
    ASSERT_THAT(web.endpoints, SizeIs(1));
    const auto& one = web.endpoints[0];
    EXPECT_THAT(texts(one.addresses), ElementsAre("10.0.0.1", "10.0.0.2"));
    EXPECT_EQ(one.node_name, "n1");
    EXPECT_THAT(one.for_zones, ElementsAre("a", "b"));
    EXPECT_THAT(one.for_nodes, ElementsAre("n1"));
    ASSERT_THAT(web.ports, SizeIs(2));
    EXPECT_EQ(web.ports[0].name, "http");
    EXPECT_EQ(web.ports[0].protocol, Protocol::tcp);
    EXPECT_EQ(web.ports[0].port, 8080);
    EXPECT_EQ(web.ports[1].protocol, Protocol::udp);
}

struct Conditions {
    std::string_view text;
    bool ready, serving, terminating;
};
class EndpointConditions : public testing::TestWithParam<Conditions> {};

TEST_P(EndpointConditions, NilValuesAreResolved) {
    auto [text, ready, serving, terminating] = GetParam();
    auto one = endpoint(text);
    EXPECT_EQ(one.ready, ready);
    EXPECT_EQ(one.serving, serving);
    EXPECT_EQ(one.terminating, terminating);
}

INSTANTIATE_TEST_SUITE_P(
    Each, EndpointConditions,
    testing::Values(Conditions{"nodeName: n1", true, true, false}, Conditions{"conditions: {}", true, true, false},
                    Conditions{"conditions: {ready: null, serving: null, terminating: null}", true, true, false},
                    Conditions{"conditions: {ready: true}", true, true, false},
                    Conditions{"conditions: {ready: false}", false, false, false},
                    Conditions{"conditions: {ready: false, serving: true, terminating: true}", false, true, true},
                    Conditions{"conditions: {ready: false, terminating: true}", false, false, true},
                    Conditions{"conditions: {ready: true, serving: false}", true, false, false},
                    Conditions{"conditions: {serving: false}", true, false, false}));

TEST(EndpointSlice, OfEachAddressType) {
    auto ipv6 = slice(slice_of("[{addresses: [\"fd00::1\"]}]", "[]", "IPv6"));
    EXPECT_EQ(ipv6.family, Family::ipv6);
    EXPECT_THAT(texts(ipv6.endpoints.at(0).addresses), ElementsAre("fd00::1"));
    auto fqdn = slice(slice_of("[{addresses: [db.example.com]}]", "[]", "FQDN"));
    EXPECT_TRUE(fqdn.fqdn);
    EXPECT_THAT(fqdn.endpoints.at(0).addresses, IsEmpty());
    EXPECT_THAT(problems(slice_of("[]", "[]", "IPv5")),
                HasSubstr("f.yaml:5: EndpointSlice ns/web-1: addressType: \"IPv5\" is unknown; use IPv4, IPv6, FQDN"));
    EXPECT_THAT(problems(slice_of("[]", "[]", "null")), HasSubstr("addressType: is missing; use IPv4, IPv6 or FQDN"));
    EXPECT_THAT(problems(slice_of("[]", "[]", "\"\"")), HasSubstr("addressType: is missing"));
}

TEST(EndpointSlice, AddressesAreOfItsFamily) {
    EXPECT_EQ(
        problems(slice_of("[{addresses: [10.0.0.1]}, {addresses: [\"fd00::1\"]}]")),
        "error f.yaml:6: EndpointSlice ns/web-1: endpoints[1].addresses[0]: \"fd00::1\" is not an IPv4 address, as "
        "addressType says; use a slice per family\n");
    EXPECT_THAT(problems(slice_of("[{addresses: [10.0.0.1]}]", "[]", "IPv6")),
                HasSubstr("\"10.0.0.1\" is not an IPv6 address"));
}

TEST(EndpointSlice, EndpointsHaveAddresses) {
    EXPECT_THAT(problems(slice_of("[{nodeName: n1}]")),
                HasSubstr("endpoints[0].addresses: is missing; an endpoint needs an address"));
    EXPECT_THAT(problems(slice_of("[{addresses: []}]")),
                HasSubstr("endpoints[0].addresses: is empty; an endpoint needs an address"));
    EXPECT_THAT(problems(slice_of("[{addresses: [null]}]")), HasSubstr("endpoints[0].addresses[0]: is missing"));
    EXPECT_THAT(problems(slice_of("[null]")), HasSubstr("endpoints[0]: is empty; use a map with addresses"));
    EXPECT_THAT(problems(slice_of("[10.0.0.1]")), HasSubstr("endpoints[0]: text is written here; use a map"));
    EXPECT_THAT(problems(slice_of("[{addresses: 10.0.0.1}]")),
                HasSubstr("endpoints[0].addresses: text is written here; use a list"));
    EXPECT_THAT(
        problems(slice_of("[{addresses: [127.0.0.1]}]")),
        HasSubstr(
            "\"127.0.0.1\" is a loopback address, which cannot be an endpoint; use the address of a pod or host"));
    EXPECT_THAT(problems(slice_of("[{addresses: [10.0.0.300]}]")), HasSubstr("\"10.0.0.300\" is not an IP address"));
}

TEST(EndpointSlice, MayBeEmpty) {
    EXPECT_THAT(slice(slice_of("[]")).endpoints, IsEmpty());
    EXPECT_THAT(slice(slice_of("null", "null")).endpoints, IsEmpty()) << "Go writes nil slices like this";
}

TEST(EndpointSlicePorts, WithoutANumberAreKept) {
    auto ports = slice(slice_of("[]", "[{name: any}, {name: \"\", port: 80}]")).ports;
    ASSERT_THAT(ports, SizeIs(2));
    EXPECT_EQ(ports[0].port, std::nullopt);
    EXPECT_EQ(ports[1].name, "");
    EXPECT_EQ(ports[1].port, 80);
}

TEST(EndpointSlicePorts, Bad) {
    EXPECT_THAT(problems(slice_of("[]", "[{port: 70000}]")),
                HasSubstr("f.yaml:7: EndpointSlice ns/web-1: ports[0].port: 70000 is not a port; use 1 to 65535"));
    EXPECT_THAT(problems(slice_of("[]", "[{name: a, port: 1}, {name: a, port: 2}]")),
                HasSubstr("ports[1].name: \"a\" is the name of another port already; give each its own"));
    EXPECT_THAT(problems(slice_of("[]", "[{port: 1}, {port: 2}]")),
                HasSubstr("ports[1].name: \"\" is the name of another port"));
    EXPECT_THAT(problems(slice_of("[]", "[{name: A_b, port: 1}]")),
                HasSubstr("ports[0].name: \"A_b\" is not a valid name"));
    EXPECT_THAT(problems(slice_of("[]", "[{port: 1, protocol: tcp}]")),
                HasSubstr("\"tcp\" is not a protocol; use TCP, UDP or SCTP"));
}

TEST(EndpointSlice, WithoutAServiceIsWarnedAbout) {
    auto decoded =
        from_yaml("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: x\naddressType: IPv4\n");
    EXPECT_EQ(problems(decoded),
              "warning f.yaml:4: EndpointSlice default/x: metadata: has no label kubernetes.io/service-name, "
              "so these endpoints belong to no Service\n");
    EXPECT_EQ(names(decoded), "default/x");
}

decode::Decoded endpoints_of(std::string_view subsets) {
    return from_yaml(
        fmt::format("apiVersion: v1\nkind: Endpoints\nmetadata: {{name: web, namespace: ns}}\nsubsets: {}\n", subsets));
}

// Returns lines like "ns/web IPv4: 10.0.0.1 !10.0.0.2 -> http/8080", where ! means not ready.
std::vector<std::string> lines(const Slices& slices) {
    std::vector<std::string> out;
    for (const auto& slice : slices) {
        auto line = slice.name.to_string() + (slice.family == Family::ipv4 ? " IPv4:" : " IPv6:");
        for (const auto& one : slice.endpoints) line += (one.ready ? " " : " !") + one.addresses.at(0).to_string();
        line += " ->";
        for (const auto& port : slice.ports) line += fmt::format(" {}/{}", port.name, port.port.value_or(0));
        out.push_back(line);
    }
    return out;
}

TEST(Endpoints, ASliceForEachSubsetAndFamily) {
    auto slices = only<Slices>(
        endpoints_of("[{addresses: [{ip: 10.0.0.1}, {ip: \"fd00::1\"}], notReadyAddresses: [{ip: 10.0.0.2}],\n"
                     "  ports: [{name: http, port: 8080}]},\n"
                     " {addresses: [{ip: \"fd00::2\"}], ports: [{port: 81}]}]"));
    EXPECT_THAT(lines(slices), ElementsAre("ns/web IPv4: 10.0.0.1 !10.0.0.2 -> http/8080",
                                           "ns/web#1 IPv6: fd00::1 -> http/8080", "ns/web#2 IPv6: fd00::2 -> /81"));
    for (const auto& slice : slices) {
        EXPECT_EQ(slice.service, "web");
        EXPECT_TRUE(slice.from_endpoints);
    }
}

TEST(Endpoints, NotReadyAddressesDoNotServe) {
    auto slices = only<Slices>(
        endpoints_of("[{notReadyAddresses: [{ip: 10.0.0.2, hostname: web-0, nodeName: n1, targetRef: {}}]}]"));
    ASSERT_THAT(slices, SizeIs(1));
    const auto& one = slices[0].endpoints.at(0);
    EXPECT_FALSE(one.ready);
    EXPECT_FALSE(one.serving);
    EXPECT_FALSE(one.terminating);
    EXPECT_EQ(one.node_name, "n1");
}

TEST(Endpoints, WithoutAddressesAreStillAnObject) {
    for (auto subsets : {"[]", "null", "[{addresses: [], ports: [{port: 80}]}]"}) {
        auto slices = only<Slices>(endpoints_of(subsets));
        EXPECT_THAT(lines(slices), ElementsAre("ns/web IPv4: ->")) << subsets;
    }
}

TEST(Endpoints, Bad) {
    EXPECT_EQ(
        problems(endpoints_of("\n- addresses: [{ip: 10.0.0.1}]\n- addresses:\n  - ip: 10.0.0.2\n  - nodeName: n1\n")),
        "error f.yaml:8: Endpoints ns/web: subsets[1].addresses[1].ip: is missing; an endpoint needs an address\n");
    EXPECT_THAT(problems(endpoints_of("[{addresses: [{ip: 169.254.0.1}]}]")),
                HasSubstr("is a link-local address, which cannot be an endpoint"));
    EXPECT_THAT(problems(endpoints_of("[{addresses: [null]}]")),
                HasSubstr("subsets[0].addresses[0]: is empty; use a map with an ip"));
    EXPECT_THAT(problems(endpoints_of("[{ports: [{port: 0}]}]")),
                HasSubstr("subsets[0].ports[0].port: 0 is not a port; use 1 to 65535"));
    EXPECT_THAT(problems(endpoints_of("{addresses: []}")), HasSubstr("subsets: a map is written here; use a list"));
}

}  // namespace
}  // namespace weir::model::test
