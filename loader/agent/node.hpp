// SPDX-License-Identifier: Apache-2.0
// The node that the agent runs on: its current interfaces, and the context for plans, which follows from them, the
// configuration and the Node objects.
#pragma once

#include "loader/config/config.hpp"
#include "loader/config/node_context.hpp"
#include "loader/model/cluster.hpp"
#include "loader/net/links.hpp"
#include "loader/plan/plan.hpp"

namespace weir::agent {

class Node {
public:
    explicit Node(const config::Config& config) : config_(config), context_(config::node_context(config, {})) {}

    void set_links(net::Links links);
    // Whether the interfaces are known yet.
    bool has_links() const { return has_links_; }
    const net::Links& links() const { return links_; }

    // Computes the context again from the Node objects and interfaces. Returns whether it has changed.
    bool refresh(const model::Cluster& cluster);
    const plan::NodeContext& context() const { return context_; }

private:
    const config::Config& config_;
    net::Links links_;
    bool has_links_ = false;
    plan::NodeContext context_;
};

}  // namespace weir::agent
