// SPDX-License-Identifier: Apache-2.0
// Chooses the ClusterIP or NodePort of a Service that asks for none. A hash of its name decides, so that all nodes that
// read the same manifests agree without talking to each other.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// Tell whether an address or port may be given out. Asked for the hashed choice first, then for its successors.
using AddressFree = std::function<bool(const model::Address&)>;
using PortFree = std::function<bool(std::uint16_t)>;

// service: "namespace/name". Never the network address (for IPv6 the subnet-router anycast address, RFC 4291 2.6.1) nor
// the IPv4 broadcast address. None: everything is taken.
std::optional<model::Address> allocate_cluster_ip(const model::Cidr& range, std::string_view service,
                                                  const AddressFree& free);
// Tells whether allocate_cluster_ip could have returned this address.
bool is_allocatable(const model::Cidr& range, const model::Address& address);

// service_port: "namespace/name:port".
std::optional<std::uint16_t> allocate_node_port(const NodeContext& node, std::string_view service_port,
                                                model::Protocol protocol, const PortFree& free);

}  // namespace weir::plan
