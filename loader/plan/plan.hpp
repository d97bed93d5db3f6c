// SPDX-License-Identifier: Apache-2.0
// The plan: what the maps of one node are to hold, as pure data. Nothing here knows libbpf or does I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/cluster.hpp"
#include "loader/model/objects.hpp"
#include "maps/abi.h"

namespace weir::plan {

// The node that is planned for, and the settings that shape a plan.
struct NodeContext {
    std::string name;
    std::string zone;
    std::vector<model::Address> addresses;            // every address of the node
    std::vector<model::Address> node_port_addresses;  // those that serve NodePorts
    std::vector<model::Address> other_nodes;          // addresses of the other nodes; sorted
    std::vector<model::Cidr> service_cidrs;           // for ClusterIP allocation, at most one per family
    std::uint16_t node_port_min = 30000;
    std::uint16_t node_port_max = 32767;
    bool external_cluster_ip = false;  // datapath.externalClusterIP
    bool operator==(const NodeContext&) const = default;
};

struct Backend {
    model::Address address;
    std::uint16_t port = 0;  // host order
    auto operator<=>(const Backend&) const = default;
};

// One set of backends that a scope of a frontend chooses from. Sorted, no duplicates: every node computes the same
// table.
using BackendSet = std::vector<Backend>;

// The action of one scope, and an index into ServicePortPlan::sets for SCOPE_BALANCE.
struct Scope {
    abi::scope_action action = abi::SCOPE_REJECT;
    std::uint32_t set = 0;
    bool local = false;  // the set is that of this node's endpoints; else the cluster's
    bool operator==(const Scope&) const = default;
};

struct Frontend {
    abi::frontend_kind kind = abi::FRONTEND_CLUSTER_IP;
    model::Address address;
    std::uint16_t port = 0;  // host order
    Scope cluster;
    Scope external;
    bool restricted = false;  // to the source ranges of the service port
    bool of_node = false;     // the address is one of a node's, this one's or another's
    bool operator==(const Frontend&) const = default;
};

struct ServicePortPlan {
    std::string name;  // "namespace/name:port-name"
    model::Protocol protocol = model::Protocol::tcp;
    std::vector<BackendSet> sets;  // no two alike; only non-empty ones
    std::vector<Frontend> frontends;
    std::vector<model::Cidr> source_ranges;         // sorted; empty where no frontend is restricted
    std::optional<std::uint32_t> affinity_seconds;  // sessionAffinity: ClientIP
    // With affinity alone: which backends the cluster's set and this node's hold, of both families. Sorted.
    BackendSet cluster_members;
    BackendSet local_members;
    bool operator==(const ServicePortPlan&) const = default;
};

// healthCheckNodePort: what a load balancer is told about this node.
struct HealthCheck {
    std::uint16_t port = 0;
    std::uint32_t local_endpoints = 0;  // ready ones
    bool operator==(const HealthCheck&) const = default;
};

enum class ServiceState { planned, headless, external_name, other_proxy };

struct ServicePlan {
    model::ObjectName service;
    ServiceState state = ServiceState::planned;
    std::vector<ServicePortPlan> ports;  // empty unless planned
    // Given or allocated, the primary one first. Of a Service that is not planned: those that it names.
    std::vector<model::Address> cluster_ips;
    std::optional<HealthCheck> health_check;
    std::vector<model::Problem> problems;  // e.g. overlapping NodePorts: the service (port) that lost, and to whom
    model::Origin origin;                  // of the Service, for messages; empty where it is gone
};

}  // namespace weir::plan
