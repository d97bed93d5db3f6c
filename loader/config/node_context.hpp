// SPDX-License-Identifier: Apache-2.0
// The node that is planned for: from the configuration, the Node objects and the node's own interfaces.
#pragma once

#include <vector>

#include "loader/config/config.hpp"
#include "loader/model/cluster.hpp"
#include "loader/net/links.hpp"
#include "loader/plan/plan.hpp"

namespace weir::config {

// Makes the node from all that is known of it. Node addresses, zone and NodePort addresses come from its Node object;
// without one, from the links (empty where the node is not this machine) and the uplinks among them.
plan::NodeContext node_context(const Config& config, const model::Cluster& cluster,
                               const std::vector<net::Link>& links = {},
                               const std::vector<unsigned>& default_routes = {});

}  // namespace weir::config
