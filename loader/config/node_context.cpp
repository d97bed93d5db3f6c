// SPDX-License-Identifier: Apache-2.0
#include "loader/config/node_context.hpp"

#include <algorithm>

#include "loader/net/roles.hpp"

namespace weir::config {

namespace {

using Addresses = std::vector<model::Address>;

void add(Addresses& list, const Addresses& addresses) {
    for (const auto& address : addresses)
        if (std::ranges::find(list, address) == list.end()) list.push_back(address);
}

Addresses other_nodes(const model::Cluster& cluster, const std::string& name) {
    Addresses out;
    for (const auto& [other, node] : cluster.nodes()) {
        if (other == name) continue;
        for (const auto* list : {&node.internal_ips, &node.external_ips})
            out.insert(out.end(), list->begin(), list->end());
    }
    std::ranges::sort(out);
    return out;
}

// selected: nodePortAddresses; where it is empty the primary addresses serve NodePorts.
Addresses node_port_addresses(const Addresses& all, const Addresses& primary,
                              const std::vector<model::Cidr>& selected) {
    Addresses out;
    if (selected.empty()) add(out, primary);
    for (const auto& address : all)
        if (std::ranges::any_of(selected, [&](const auto& cidr) { return cidr.contains(address); }))
            add(out, {address});
    return out;
}

}  // namespace

plan::NodeContext node_context(const Config& config, const model::Cluster& cluster, const std::vector<net::Link>& links,
                               const std::vector<unsigned>& default_routes) {
    plan::NodeContext context;
    context.name = config.node;
    context.service_cidrs = config.service_cidrs;
    context.node_port_min = config.node_port_min;
    context.node_port_max = config.node_port_max;
    context.external_cluster_ip = config.external_cluster_ip;

    Addresses primary;
    for (const auto& [link, role] : net::assign(links, default_routes, config.interfaces)) {
        add(context.addresses, link.addresses);
        if (role == net::Role::uplink) add(primary, link.addresses);
    }
    if (const auto* node = cluster.node(context.name)) {
        context.zone = node->zone;
        add(context.addresses, node->internal_ips);
        add(context.addresses, node->external_ips);
        if (!node->internal_ips.empty()) primary = node->internal_ips;
    }
    context.other_nodes = other_nodes(cluster, context.name);
    context.node_port_addresses = node_port_addresses(context.addresses, primary, config.node_port_addresses);
    return context;
}

}  // namespace weir::config
