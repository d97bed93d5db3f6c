// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/node.hpp"

#include <utility>

#include "loader/config/node_context.hpp"
#include "loader/net/roles.hpp"

namespace weir::agent {

void Node::set_links(net::Links links) {
    links_ = std::move(links);
    has_links_ = true;
}

bool Node::refresh(const model::Cluster& cluster) {
    auto before = std::exchange(context_, node_context(cluster));
    return !(context_ == before);
}

plan::NodeContext Node::node_context(const model::Cluster& cluster) const {
    auto context = config::context_of(config_);
    std::vector<model::Address> of_uplinks;
    for (const auto& assigned : net::assign(links_.all, links_.default_routes, config_.interfaces)) {
        for (const auto& address : assigned.first.addresses) {
            context.addresses.push_back(address);
            if (assigned.second == net::Role::uplink) of_uplinks.push_back(address);
        }
    }
    config::fill_node(context, cluster, of_uplinks, config_.node_port_addresses);
    return context;
}

}  // namespace weir::agent
