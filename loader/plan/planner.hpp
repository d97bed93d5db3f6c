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
        model::Protocol protocol = model::Protocol::tcp;
    };
    void adopt(const std::vector<Held>& held);

    // Whether what was adopted is kept for Services that are not there (yet): no other is given their ClusterIPs and
    // NodePorts. Without it, what was adopted is forgotten by the next plan().
    void keep_adopted(bool keep);

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
    // The claims of one Service, and the addresses and ports that it was given.
    struct Record {
        ClaimSet reserved;                        // ClusterIPs and NodePorts that the Service names itself
        std::vector<model::Address> cluster_ips;  // allocated
        std::vector<AllocatedPort> node_ports;    // allocated
        ClaimSet placed;                          // frontends
    };
    using Records = std::unordered_map<model::ObjectName, Record>;
    // One Service that a call of plan() deals with. No service: it is gone, or gets no frontends.
    struct Item {
        const model::ObjectName* owner;  // the key of the record
        Record* record;
        std::optional<model::Service> service;
    };
    using Work = std::map<model::ObjectName, Item>;

    void add_work(const model::Cluster& cluster, const model::ObjectName& name, Work& work);
    void release_reservations(const model::Cluster& cluster, Work& work);
    void reserve(const model::Cluster& cluster, Work& work);
    void allocate(const model::Cluster& cluster, Work& work);
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
        const model::Cluster& cluster;
        bool adopted_only;
        std::set<model::Family> full_cidrs;
        std::set<model::Protocol> full_ports;
    };
    void allocate_cluster_ips(const Item& item, Pass& pass);
    void allocate_node_ports(const Item& item, Pass& pass);
    std::span<const Held> adopted_by(const Item& item) const;
    bool is_free(const Item& item, const model::Address& address, const Pass& pass) const;
    bool is_starved(const Item& item) const;

    // Returns the addresses that the Service names itself, or that were allocated.
    std::vector<model::Address> cluster_ips(const Item& item) const;
    std::uint16_t node_port(const Item& item, const model::ServicePort& port) const;
    std::vector<Place> places(const Item& item, const model::ServicePort& port) const;
    void add_starvation(const Item& item, ProblemList& problems) const;

    bool was_held(const Item& item, const ClaimKey& key) const;
    bool is_taken(const ClaimKey& key, const model::Cluster& cluster) const;

    NodeContext node_;
    Records records_;
    Claims claims_;
    std::set<model::ObjectName> starved_;  // found nothing left to allocate: tried again when something is released
    // Claims that the maps held when the agent started, by Service. The first plan() that need not keep them drops
    // them.
    std::unordered_map<model::ObjectName, std::vector<Held>> adopted_;
    // The owners of these ClusterIPs and NodePorts, as long as adopted_ is kept.
    std::unordered_map<ClaimKey, model::ObjectName, ClaimKeyHash> awaited_;
    bool keep_adopted_ = false;
};

}  // namespace weir::plan
