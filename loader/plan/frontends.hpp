// SPDX-License-Identifier: Apache-2.0
// The frontends of a service port, and the fate of new flows there (kinds, traffic policies, empty sets).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "loader/plan/eligibility.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

// The families that a Service is served in: as given; the default one where none is. Dual-stack Services get the second
// family where there is a service CIDR for it.
std::vector<model::Family> families_of(const model::Service& service, const NodeContext& node);

// One address:port of a service port, before it is known whether another Service has it.
struct Place {
    abi::frontend_kind kind = abi::FRONTEND_CLUSTER_IP;
    model::Address address;
    std::uint16_t port = 0;
    bool operator==(const Place&) const = default;
};

// cluster_ips and node_port (0: none): as given or allocated. Each address once; the kinds in the order of
// abi::frontend_kind.
std::vector<Place> places_of(const model::Service& service, const model::ServicePort& port,
                             const std::vector<model::Address>& cluster_ips, std::uint16_t node_port,
                             const NodeContext& node);

// Tells whether loadBalancerSourceRanges admit some sources only. A range of everything is no restriction; ranges of
// another family than the address's do not count, as in kube-proxy.
bool is_restricted(const model::Service& service, model::Family family);

// The plan of one service port at these places.
ServicePortPlan plan_port(const model::Service& service, const model::ServicePort& port,
                          const std::vector<Place>& places, const std::vector<model::EndpointSlice>& slices,
                          const NodeContext& node);

}  // namespace weir::plan
