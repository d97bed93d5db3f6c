// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/problems.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/local_endpoints.hpp"

namespace weir::plan {

namespace {

std::string_view family_name(model::Family family) {
    return family == model::Family::ipv4 ? "IPv4" : "IPv6";
}

bool contains(const std::vector<model::Family>& families, model::Family family) {
    return std::ranges::find(families, family) != families.end();
}

}  // namespace

bool has_node_ports(const model::Service& service) {
    return service.type == model::ServiceType::node_port || service.type == model::ServiceType::load_balancer;
}

std::string why_unplanned(const model::Service& service, const model::ServicePort& port) {
    // The name is the identity of a service port, also in the maps.
    if (service.name.to_string().size() + 1 + port.name.size() >= abi::SERVICE_NAME_SIZE)
        return fmt::format(
            "port {} is left out: namespace/name:port has more than {} characters; choose a shorter name", port.port,
            abi::SERVICE_NAME_SIZE - 1);
    auto first = std::ranges::find(service.ports, port.name, &model::ServicePort::name);
    if (&*first != &port)
        return fmt::format("port {} is left out: it has the same name (\"{}\") as port {}; give each its own",
                           port.port, port.name, first->port);
    return {};
}

ProblemList::ProblemList(const model::Service& service) : service_(service) {}

void ProblemList::add(model::Severity severity, std::string what) {
    problems_.push_back({.severity = severity,
                         .origin = service_.origin,
                         .object = "Service " + service_.name.to_string(),
                         .what = std::move(what)});
}

void ProblemList::error(std::string what) {
    add(model::Severity::error, std::move(what));
}

void ProblemList::warning(std::string what) {
    add(model::Severity::warning, std::move(what));
}

void ProblemList::add_unserved_parts(const NodeContext& node) {
    auto families = families_of(service_, node);
    for (const auto& port : service_.ports) {
        if (auto why = why_unplanned(service_, port); !why.empty()) error(std::move(why));
    }
    for (const auto& address : service_.external_ips) {
        if (!contains(families, address.family()))
            warning(fmt::format("externalIP {} is ignored: the Service has no {} (spec.ipFamilies)",
                                address.to_string(), family_name(address.family())));
    }
    add_node_port_warnings(node, families);
    add_load_balancer_warnings(families);
}

void ProblemList::add_node_port_warnings(const NodeContext& node, const std::vector<model::Family>& families) {
    if (!has_node_ports(service_)) {
        for (const auto& port : service_.ports) {
            if (port.node_port != 0)
                warning(fmt::format("nodePort {} is ignored: the Service is of another type; set type: NodePort",
                                    port.node_port));
        }
        return;
    }
    bool reachable = std::ranges::any_of(node.node_port_addresses,
                                         [&](const auto& address) { return contains(families, address.family()); });
    if (node.node_port_addresses.empty())
        warning("NodePorts are not served: no node addresses known; add a Node object with the addresses of this node");
    else if (!reachable)
        warning(fmt::format("NodePorts are not served: no {} address of this node is known; add it to the Node object",
                            family_name(families.front())));
}

void ProblemList::add_load_balancer_warnings(const std::vector<model::Family>& families) {
    if (service_.health_check_node_port != 0 && health_check_port(service_) == 0)
        warning(
            fmt::format("healthCheckNodePort {} is not answered: it belongs to type: LoadBalancer with "
                        "externalTrafficPolicy: Local; set both, or remove it",
                        service_.health_check_node_port));
    if (service_.type != model::ServiceType::load_balancer) return;
    for (const auto& ingress : service_.load_balancer) {
        if (ingress.mode != model::IpMode::vip) continue;
        if (!contains(families, ingress.ip.family()))
            warning(fmt::format("load balancer address {} is ignored: the Service has no {} (spec.ipFamilies)",
                                ingress.ip.to_string(), family_name(ingress.ip.family())));
        else if (!service_.source_ranges.empty() &&
                 std::ranges::none_of(service_.source_ranges,
                                      [&](const auto& range) { return range.base.family() == ingress.ip.family(); }))
            warning(
                fmt::format("load balancer address {} lets everybody in: none of loadBalancerSourceRanges is {}; "
                            "add one",
                            ingress.ip.to_string(), family_name(ingress.ip.family())));
    }
}

void ProblemList::add_conflict(const ClaimKey& key, const model::ObjectName& holder) {
    if (key.port == 0)
        error(fmt::format("clusterIP {} belongs to Service {}; choose another, or none to have one allocated",
                          key.address.to_string(), holder.to_string()));
    else if (key == ClaimKey::node_port(health_check_port(service_), model::Protocol::tcp))
        error(
            fmt::format("healthCheckNodePort {} belongs to Service {}; choose another", key.port, holder.to_string()));
    else
        error(fmt::format("nodePort {}/{} belongs to Service {}; choose another, or none to have one allocated",
                          key.port, model::to_string(static_cast<model::Protocol>(key.protocol)), holder.to_string()));
}

void ProblemList::add_place_conflict(const Place& place, model::Protocol protocol, const model::ObjectName& holder) {
    auto kind = [&] {
        switch (place.kind) {
            case abi::FRONTEND_CLUSTER_IP:
                return "clusterIP";
            case abi::FRONTEND_NODE_PORT:
                return "nodePort";
            case abi::FRONTEND_EXTERNAL_IP:
                return "externalIP";
            default:
                return "load balancer address";
        }
    };
    auto what =
        fmt::format("{} {}/{}", kind(), model::to_string(place.address, place.port), model::to_string(protocol));
    if (holder == service_.name)
        error(fmt::format("{} is named by two ports of the Service; change one of them", what));
    else
        error(fmt::format("{} belongs to Service {}; choose another address or port", what, holder.to_string()));
}

}  // namespace weir::plan
