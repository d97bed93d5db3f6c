// SPDX-License-Identifier: Apache-2.0
// Objects as text with every field except their origin, to compare them and to show how they differ.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "loader/model/objects.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {

inline std::string describe(const TargetPort& target) {
    if (const auto* number = std::get_if<std::uint16_t>(&target)) return fmt::format("{}", *number);
    if (const auto* name = std::get_if<std::string>(&target)) return fmt::format("\"{}\"", *name);
    return "-";
}

inline std::string describe(const Service& service) {
    auto out =
        fmt::format("Service {} type {} headless {} other_proxy {} ips {} families", service.name.to_string(),
                    static_cast<int>(service.type), service.headless, service.other_proxy, texts(service.cluster_ips));
    for (auto family : service.ip_families) out += family == Family::ipv4 ? " 4" : " 6";
    out += fmt::format(" dual {} selector {} external {}", service.dual_stack, service.selector,
                       texts(service.external_ips));
    for (const auto& port : service.ports)
        out += fmt::format(" port \"{}\" {} {} target {} node {}", port.name, to_string(port.protocol), port.port,
                           describe(port.target_port), port.node_port);
    for (const auto& ingress : service.load_balancer)
        out += fmt::format(" lb {} {}", ingress.ip.to_string(), ingress.mode == IpMode::vip ? "VIP" : "Proxy");
    return out + fmt::format(" ranges {} policies {} {} affinity {} health {} not_ready {} allocate {} name \"{}\"",
                             texts(service.source_ranges), static_cast<int>(service.external_traffic_policy),
                             static_cast<int>(service.internal_traffic_policy), service.affinity_seconds.value_or(0),
                             service.health_check_node_port, service.publish_not_ready, service.allocate_node_ports,
                             service.external_name);
}

inline std::string describe(const EndpointSlice& slice) {
    auto out = fmt::format("EndpointSlice {} of \"{}\" fqdn {} from_endpoints {} family {}", slice.name.to_string(),
                           slice.service, slice.fqdn, slice.from_endpoints, slice.family == Family::ipv4 ? 4 : 6);
    for (const auto& one : slice.endpoints)
        out += fmt::format(" endpoint {} {} {} {} node \"{}\" zones {} nodes {}", texts(one.addresses), one.ready,
                           one.serving, one.terminating, one.node_name, one.for_zones, one.for_nodes);
    for (const auto& port : slice.ports)
        out += fmt::format(" port \"{}\" {} {}", port.name, to_string(port.protocol), port.port.value_or(0));
    return out;
}

inline std::string describe(const std::vector<EndpointSlice>& slices) {
    std::string out;
    for (const auto& slice : slices) out += describe(slice) + "; ";
    return out;
}

inline std::string describe(const Pod& pod) {
    auto out = fmt::format("Pod {} labels {} node \"{}\" ips {}", pod.name.to_string(), pod.labels, pod.node_name,
                           texts(pod.ips));
    for (const auto& port : pod.ports)
        out += fmt::format(" port \"{}\" {} {}", port.name, to_string(port.protocol), port.port);
    return out + fmt::format(" ready {} finished {} terminating {} host_network {}", pod.ready, pod.finished,
                             pod.terminating, pod.host_network);
}

inline std::string describe(const Node& node) {
    return fmt::format("Node {} labels {} internal {} external {} cidrs {} zone \"{}\" to_be_deleted {}",
                       node.name.to_string(), node.labels, texts(node.internal_ips), texts(node.external_ips),
                       texts(node.pod_cidrs), node.zone, node.to_be_deleted);
}

inline std::vector<std::string> describe(const decode::Decoded& decoded) {
    std::vector<std::string> out;
    for (const auto& object : decoded.objects)
        out.push_back(std::visit([](const auto& one) { return describe(one); }, object));
    return out;
}

}  // namespace weir::model::test
