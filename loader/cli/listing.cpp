// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/listing.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "loader/datapath/roles.hpp"

namespace weir::cli {

model::Address address_of(const abi::address& address) {
    model::Address out;
    std::memcpy(out.bytes.data(), address.bytes, out.bytes.size());
    return out;
}

std::string_view protocol_name(std::uint8_t protocol) {
    return model::to_string(static_cast<model::Protocol>(protocol));
}

std::string_view kind_name(std::uint8_t kind) {
    switch (kind) {
        case abi::FRONTEND_CLUSTER_IP:
            return "ClusterIP";
        case abi::FRONTEND_NODE_PORT:
            return "NodePort";
        case abi::FRONTEND_EXTERNAL_IP:
            return "ExternalIP";
        case abi::FRONTEND_LOAD_BALANCER:
            return "LoadBalancer";
        default:
            return "unknown";
    }
}

std::string_view action_name(std::uint8_t action) {
    switch (action) {
        case abi::SCOPE_BALANCE:
            return "balance";
        case abi::SCOPE_REJECT:
            return "no endpoints";
        case abi::SCOPE_NO_LOCAL:
            return "no local endpoints";
        case abi::SCOPE_CLOSED:
            return "closed";
        default:
            return "unknown";
    }
}

std::string_view state_name(plan::ServiceState state) {
    switch (state) {
        case plan::ServiceState::planned:
            return "planned";
        case plan::ServiceState::headless:
            return "headless";
        case plan::ServiceState::external_name:
            return "ExternalName";
        case plan::ServiceState::other_proxy:
            return "other proxy";
    }
    return "unknown";
}

std::string service_text(const abi::service_name& name) {
    return {name.name, ::strnlen(name.name, sizeof(name.name))};
}

std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents) {
    std::map<std::uint32_t, std::string> names;
    for (const auto& [id, name] : contents.services) names[id] = service_text(name);
    std::vector<plan::Planner::Held> held;
    for (const auto& [key, value] : contents.frontends) {
        auto name = names.find(value.service_id);
        if (name == names.end()) continue;
        held.push_back({name->second, static_cast<abi::frontend_kind>(value.kind), address_of(key.address),
                        ntohs(key.port_be), static_cast<model::Protocol>(key.protocol)});
    }
    return held;
}

abi::device device_of(const datapath::Link& link, const datapath::Attached& attached, const plan::NodeContext& node) {
    abi::device device{};
    device.flags = abi::DEVICE_UPLINK;
    if (attached.xdp_xmit) device.flags |= abi::DEVICE_XDP_XMIT;
    datapath::set_source_addresses(device, link, node.addresses);
    return device;
}

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

}  // namespace weir::cli
