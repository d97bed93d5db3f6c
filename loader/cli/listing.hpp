// SPDX-License-Identifier: Apache-2.0
// Map contents in the words of people: what the listing commands and a starting agent read back.
#pragma once

#include <netinet/in.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "loader/cli/config.hpp"
#include "loader/datapath/attach.hpp"
#include "loader/datapath/links.hpp"
#include "loader/model/cluster.hpp"
#include "loader/model/objects.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/plan.hpp"
#include "loader/plan/planner.hpp"
#include "maps/abi.h"

namespace weir::cli {

model::Address address_of(const abi::address& address);
std::string_view protocol_name(std::uint8_t protocol);
std::string_view kind_name(std::uint8_t kind);          // "ClusterIP", ...
std::string_view action_name(std::uint8_t action);      // "balance", "reject", "drop", "closed"
std::string_view state_name(plan::ServiceState state);  // "headless", ...
std::string service_text(const abi::service_name& name);

// The frontends in the maps, by service port: what Planner::adopt wants.
std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents);

// The datapath's view of an uplink.
abi::device device_of(const datapath::Link& link, const datapath::Attached& attached, const plan::NodeContext& node);

// What the configuration alone says of the node.
plan::NodeContext context_of(const Config& config);

// The node as the Node objects and the configuration describe it.
plan::NodeContext node_context(const Config& config, const model::Cluster& cluster);

// Node addresses, zone and NodePort addresses: from the Node object where there is one, else from the uplinks.
// selected: nodePortAddresses; empty means the primary ones.
void fill_node(plan::NodeContext& context, const model::Cluster& cluster, const std::vector<model::Address>& of_uplinks,
               const std::vector<model::Cidr>& selected);

}  // namespace weir::cli
