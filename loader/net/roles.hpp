// SPDX-License-Identifier: Apache-2.0
// Gives interfaces their roles: uplink, workload, or none of weir's business. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "loader/model/address.hpp"
#include "loader/net/links.hpp"
#include "maps/abi.h"

namespace weir::net {

enum class Role { none, uplink, workload };

// Names or globs (fnmatch). An empty list stands for its default:
//  - uplinks: devices of default routes, and overlay devices that are up;
//  - workloads: veths whose peer is in another network namespace.
struct InterfaceRules {
    std::vector<std::string> uplinks;
    std::vector<std::string> workloads;

    bool operator==(const InterfaceRules&) const = default;
};

// Every link with its role, in the order given. A name counts for more than a glob or a default; if both sides want the
// link equally, it is an uplink.
std::vector<std::pair<Link, Role>> assign(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                          const InterfaceRules& rules);

// Uplinks by name or by default that weir cannot serve, and why.
struct RefusedUplink {
    std::string name;
    std::string reason;  // a clause that follows "NAME: ", with what to do about it

    bool operator==(const RefusedUplink&) const = default;
};
std::vector<RefusedUplink> refused_uplinks(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                           const InterfaceRules& rules);

// Uplinks that the rules name (not by a glob) and that do not exist.
std::vector<std::string> missing_uplinks(const std::vector<Link>& links, const InterfaceRules& rules);

// The sources for SNAT out of a device: its own first address of each family, or else the node's first one.
void set_source_addresses(abi::device& device, const Link& link, const std::vector<model::Address>& node_addresses);

}  // namespace weir::net
