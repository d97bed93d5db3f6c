// SPDX-License-Identifier: Apache-2.0
// Helpers that build an object in one expression, for tests of the plan.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "loader/plan/layout.hpp"
#include "loader/plan/planner.hpp"

namespace weir::plan::test {

inline model::Address address(const std::string& text) {
    return model::Address::parse(text).value();
}
inline model::Cidr cidr(const std::string& text) {
    return model::Cidr::parse(text).value();
}

inline model::ServicePort port(const std::string& name, std::uint16_t number,
                               model::Protocol protocol = model::Protocol::tcp, std::uint16_t node_port = 0) {
    return {.name = name, .protocol = protocol, .port = number, .target_port = {}, .node_port = node_port};
}

inline model::Service service(const std::string& name, const std::string& cluster_ip,
                              std::vector<model::ServicePort> ports = {port("http", 80)}) {
    model::Service out;
    out.name = {.name_space = "ns", .name = name};
    if (!cluster_ip.empty()) {
        out.cluster_ips = {address(cluster_ip)};
        out.ip_families = {out.cluster_ips.front().family()};
    }
    out.ports = std::move(ports);
    return out;
}

enum class State { ready, not_ready, draining, gone };  // gone: terminating and not serving

struct At {
    std::string address;
    std::string node = "other";
    State state = State::ready;
    std::vector<std::string> zones = {};
    std::vector<std::string> nodes = {};
};

inline model::Endpoint endpoint(const At& at) {
    model::Endpoint out;
    out.addresses = {address(at.address)};
    out.ready = at.state == State::ready;
    out.serving = at.state == State::ready || at.state == State::draining;
    out.terminating = at.state == State::draining || at.state == State::gone;
    out.node_name = at.node;
    out.for_zones = at.zones;
    out.for_nodes = at.nodes;
    return out;
}

inline model::EndpointSlice slice(const std::string& service, const std::vector<At>& endpoints,
                                  std::vector<model::EndpointPort> ports = {{"http", model::Protocol::tcp, 8080}},
                                  const std::string& suffix = "1") {
    model::EndpointSlice out;
    out.name = {.name_space = "ns", .name = service + "-" + suffix};
    out.service = service;
    out.family = endpoints.empty() ? model::Family::ipv4 : address(endpoints.front().address).family();
    for (const auto& at : endpoints) out.endpoints.push_back(endpoint(at));
    out.ports = std::move(ports);
    return out;
}

// Returns the node "here" in zone "a".
inline NodeContext node() {
    NodeContext out;
    out.name = "here";
    out.zone = "a";
    out.addresses = {address("192.168.0.2"), address("2001:db8::2")};
    out.node_port_addresses = out.addresses;
    out.service_cidrs = {cidr("10.96.0.0/16")};
    return out;
}

inline BackendSet backends(const std::vector<std::string>& addresses, std::uint16_t port = 8080) {
    BackendSet out;
    for (const auto& text : addresses) out.push_back({.address = address(text), .port = port});
    return out;
}

// Prints backends: "10.0.0.1:80 10.0.0.2:80".
inline std::string text(const BackendSet& set) {
    std::string out;
    for (const auto& backend : set) out += (out.empty() ? "" : " ") + model::to_string(backend.address, backend.port);
    return out;
}

// Prints a scope: its backends, or "REJECT", "NO_LOCAL", "CLOSED".
inline std::string text(const ServicePortPlan& plan, const Scope& scope) {
    switch (scope.action) {
        case abi::SCOPE_BALANCE:
            return text(plan.sets.at(scope.set));
        case abi::SCOPE_REJECT:
            return "REJECT";
        case abi::SCOPE_NO_LOCAL:
            return "NO_LOCAL";
        default:
            return "CLOSED";
    }
}

inline std::string text(const std::vector<model::Problem>& problems) {
    std::string out;
    for (const auto& problem : problems) out += problem.object + ": " + problem.what + "\n";
    return out;
}

}  // namespace weir::plan::test
