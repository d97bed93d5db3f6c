// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/node.hpp"

#include <utility>

namespace weir::agent {

void Node::set_links(net::Links links) {
    links_ = std::move(links);
    has_links_ = true;
}

bool Node::refresh(const model::Cluster& cluster) {
    auto before = std::exchange(context_, config::node_context(config_, cluster, links_.all, links_.default_routes));
    return !(context_ == before);
}

}  // namespace weir::agent
