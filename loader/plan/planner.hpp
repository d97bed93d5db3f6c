// SPDX-License-Identifier: Apache-2.0
// Cluster -> ServicePlans: allocation of absent ClusterIPs and NodePorts, eligibility, scopes, conflicts between
// Services.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "loader/plan/claims.hpp"
#include "loader/plan/frontends.hpp"
#include "loader/plan/plan.hpp"
#include "loader/plan/problems.hpp"

namespace weir::plan {

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

    // Plans the given Services again. Returns one plan for each that must be written, which may include others than
    // asked for (a Service that gets back a NodePort that a removed one blocked). A removed Service yields a plan
    // without ports.
    std::vector<ServicePlan> plan(const model::Cluster& cluster, const std::vector<model::ObjectName>& dirty);

private:
    struct AllocatedPort {
        std::string port;
        model::Protocol protocol;
        std::uint16_t number;
    };
    // What one Service claims, and what it was given.
    struct Record {
        ClaimSet reserved;                        // ClusterIPs and NodePorts that the Service names itself
        std::vector<model::Address> cluster_ips;  // allocated
        std::vector<AllocatedPort> node_ports;    // allocated
        ClaimSet placed;                          // frontends
    };
    using Records = std::unordered_map<model::ObjectName, Record>;
    // What a call of plan() deals with, in name order. service is null for a Service that is gone or gets no frontends.
    struct Item {
        const model::ObjectName* owner;  // the key of the record
        Record* record;
        const model::Service* service;
    };
    using Work = std::map<model::ObjectName, Item>;

    void add_work(const model::Cluster& cluster, const model::ObjectName& name, Work& work);
    void release_reservations(const model::Cluster& cluster, Work& work);
    void reserve(const model::Cluster& cluster, Work& work);
    void allocate(Work& work);
    void place(const model::Cluster& cluster, Work& work);
    ServicePlan build(const model::Cluster& cluster, const model::ObjectName& name, const Item& item) const;
    ServicePortPlan build_port(const Item& item, const model::ServicePort& port,
                               const std::vector<model::EndpointSlice>& slices, std::set<ClaimKey>& taken,
                               ProblemList& problems) const;

    std::optional<HealthCheck> build_health_check(const Item& item, const std::vector<model::EndpointSlice>& slices,
                                                  ProblemList& problems) const;

    ClaimSet reservations_of(const model::Service& service) const;
    bool keeps(const model::Service& service, const model::Address& allocated) const;
    bool keeps(const model::Service& service, const AllocatedPort& allocated) const;
    // One pass over the Services that lack something. A range that was found full needs no second search in a pass.
    struct Pass {
        bool adopted_only;
        std::set<model::Family> full_cidrs;
        std::set<model::Protocol> full_ports;
    };
    void allocate_cluster_ips(const Item& item, Pass& pass);
    void allocate_node_ports(const Item& item, Pass& pass);
    std::span<const Held> adopted_by(const Item& item) const;
    bool is_free(const Item& item, const model::Address& address) const;
    bool is_starved(const Item& item) const;

    // What the Service has now, given by itself or allocated.
    std::vector<model::Address> cluster_ips(const Item& item) const;
    std::uint16_t node_port(const Item& item, const model::ServicePort& port) const;
    std::vector<Place> places(const Item& item, const model::ServicePort& port) const;
    void add_starvation(const Item& item, ProblemList& problems) const;

    bool was_held(const Item& item, const ClaimKey& key) const;

    NodeContext node_;
    Records records_;
    Claims claims_;
    std::set<model::ObjectName> starved_;  // found nothing left to allocate: tried again when something is released
    // What the maps held when the agent started, by "namespace/name"; dropped after the first plan().
    std::unordered_map<std::string, std::vector<Held>> adopted_;
};

}  // namespace weir::plan
