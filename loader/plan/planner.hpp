// SPDX-License-Identifier: Apache-2.0
// Cluster -> ServicePlans: allocation of absent ClusterIPs and NodePorts, eligibility, scopes, conflicts between Services.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// An address or port that weir gave to a Service that asked for none, or that it must keep giving (see adopt).
struct Allocation {
    std::string service_port;  // "namespace/name:port-name"
    model::Address cluster_ip; // unspecified: not allocated
    std::uint16_t node_port = 0;
};

class Planner {
public:
    explicit Planner(NodeContext node);

    // Prefer these (read back from the maps of an earlier agent) over a fresh choice, so that a restart moves nothing.
    // Call before the first plan(). frontends: every (service port name, kind, address, port) that the maps hold.
    struct Held {
        std::string service_port;
        abi::frontend_kind kind;
        model::Address address;
        std::uint16_t port;
    };
    void adopt(const std::vector<Held>& held);

    // Node addresses, zone or settings changed: the caller plans everything again.
    void set_node(NodeContext node);

    // Plans the given Services again. Returns one plan for each that must be written, which may include others than asked
    // for (a Service that gets back a NodePort that a removed one blocked). A removed Service yields a plan without ports.
    std::vector<ServicePlan> plan(const model::Cluster& cluster, const std::vector<model::ObjectName>& dirty);
};

}  // namespace weir::plan
