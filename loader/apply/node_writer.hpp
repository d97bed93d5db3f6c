// SPDX-License-Identifier: Apache-2.0
// The seam between the agent and the map entries that describe the node itself, beside the plan: its devices, its
// addresses, and its route generation.
#pragma once

#include <map>
#include <vector>

#include "loader/apply/map_writer.hpp"
#include "loader/model/address.hpp"
#include "maps/abi.h"

namespace weir::apply {

class NodeWriter {
public:
    virtual ~NodeWriter() = default;
    // Makes the map hold exactly these devices, by interface index.
    virtual Written set_devices(const std::map<unsigned, abi::device>& devices) = 0;
    // Makes every cached next hop stale.
    virtual Written bump_route_generation() = 0;
    // Sets the node's address of each family: the first in the list.
    virtual Written set_node_addresses(const std::vector<model::Address>& addresses) = 0;
};

}  // namespace weir::apply
