// SPDX-License-Identifier: Apache-2.0
// The answer of this node to load balancers (healthCheckNodePort of Services with externalTrafficPolicy Local).
#pragma once

#include <cstdint>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// 0: the Service has no health check. The number is one of the cluster's NodePorts (TCP), on every node.
std::uint16_t health_check_port(const model::Service& service);

// Counts the ready endpoints on this node, each once however many ports it serves. An endpoint with addresses in
// both families is one: the family in which there are more counts.
std::uint32_t ready_local_endpoints(const model::Service& service, const std::vector<model::EndpointSlice>& slices,
                                    const NodeContext& node);

}  // namespace weir::plan
