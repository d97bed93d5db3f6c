// SPDX-License-Identifier: Apache-2.0
// The node that is planned for: from the configuration, the Node objects and the node's own interfaces.
#pragma once

#include <vector>

#include "loader/config/config.hpp"
#include "loader/model/cluster.hpp"
#include "loader/plan/plan.hpp"

namespace weir::config {

// What the configuration alone says of the node.
plan::NodeContext context_of(const Config& config);

// The node as the Node objects and the configuration describe it.
plan::NodeContext node_context(const Config& config, const model::Cluster& cluster);

// Node addresses, zone and NodePort addresses: from the Node object where there is one, else from the uplinks.
// selected: nodePortAddresses; empty means the primary ones.
void fill_node(plan::NodeContext& context, const model::Cluster& cluster, const std::vector<model::Address>& of_uplinks,
               const std::vector<model::Cidr>& selected);

}  // namespace weir::config
