// SPDX-License-Identifier: Apache-2.0
// Chooses the endpoints that count (docs: readiness, termination, topology; KEP-1669, KEP-2086, KEP-2433).
#pragma once

#include <string>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// The two sets that a frontend of one family can choose from. cluster is empty only if local is: then no endpoint is
// usable anywhere.
struct EligibleSets {
    BackendSet cluster;  // usable endpoints anywhere, after topology
    BackendSet local;    // usable endpoints on this node
};

// slices: all slices of the Service. publishNotReadyAddresses has already made its endpoints ready there.
EligibleSets eligible(const std::vector<model::EndpointSlice>& slices, const model::ServicePort& port,
                      model::Family family, const NodeContext& node);

}  // namespace weir::plan
