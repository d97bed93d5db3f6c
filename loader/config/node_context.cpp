// SPDX-License-Identifier: Apache-2.0
#include "loader/config/node_context.hpp"

#include <algorithm>

namespace weir::config {

plan::NodeContext context_of(const Config& config) {
    plan::NodeContext context;
    context.name = config.node;
    context.service_cidrs = config.service_cidrs;
    context.node_port_min = config.node_port_min;
    context.node_port_max = config.node_port_max;
    context.external_cluster_ip = config.external_cluster_ip;
    return context;
}

plan::NodeContext node_context(const Config& config, const model::Cluster& cluster) {
    auto context = context_of(config);
    fill_node(context, cluster, {}, config.node_port_addresses);
    return context;
}

void fill_node(plan::NodeContext& context, const model::Cluster& cluster, const std::vector<model::Address>& of_uplinks,
               const std::vector<model::Cidr>& selected) {
    auto add = [](std::vector<model::Address>& list, const model::Address& address) {
        if (std::ranges::find(list, address) == list.end()) list.push_back(address);
    };
    const auto* node = cluster.node(context.name);
    const auto& primary = node && !node->internal_ips.empty() ? node->internal_ips : of_uplinks;
    if (node) {
        context.zone = node->zone;
        for (const auto& address : node->internal_ips) add(context.addresses, address);
        for (const auto& address : node->external_ips) add(context.addresses, address);
    }
    context.other_nodes.clear();
    for (const auto& [name, other] : cluster.nodes()) {
        if (name == context.name) continue;
        for (const auto* list : {&other.internal_ips, &other.external_ips})
            context.other_nodes.insert(context.other_nodes.end(), list->begin(), list->end());
    }
    std::ranges::sort(context.other_nodes);
    if (selected.empty()) {
        for (const auto& address : primary) add(context.node_port_addresses, address);
    } else {
        for (const auto& address : context.addresses) {
            if (std::ranges::any_of(selected, [&](const auto& cidr) { return cidr.contains(address); }))
                add(context.node_port_addresses, address);
        }
    }
}

}  // namespace weir::config
