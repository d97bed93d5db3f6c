// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/planner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/local_endpoints.hpp"
#include "loader/plan/problems.hpp"

namespace weir::plan {

namespace {

using model::ObjectName;
using model::Service;
using model::ServicePort;

ServiceState state_of(const Service& service) {
    if (service.other_proxy) return ServiceState::other_proxy;
    if (service.type == model::ServiceType::external_name) return ServiceState::external_name;
    if (service.headless) return ServiceState::headless;
    return ServiceState::planned;
}

}  // namespace

Planner::Planner(NodeContext node) : node_(std::move(node)) {}

void Planner::set_node(NodeContext node) {
    node_ = std::move(node);
}

void Planner::adopt(const std::vector<Held>& held) {
    for (const auto& entry : held)
        adopted_[entry.service_port.substr(0, entry.service_port.find(':'))].push_back(entry);
}

// Reservations come first, since allocations must keep clear of them; frontends follow from both. In each step
// everything is released before anything is taken, so that Services can trade addresses within one change.
std::vector<ServicePlan> Planner::plan(const model::Cluster& cluster, const std::vector<ObjectName>& dirty) {
    Work work;
    for (const auto& name : dirty) add_work(cluster, name, work);
    release_reservations(cluster, work);
    reserve(cluster, work);
    allocate(work);
    place(cluster, work);

    std::vector<ServicePlan> plans;
    plans.reserve(work.size());
    for (const auto& [name, item] : work) plans.push_back(build(cluster, name, item));
    for (const auto& [name, item] : work) {
        // Nobody can wait for or hold anything in the name of a Service that is gone: place() released the last of it.
        if (!cluster.service(name)) records_.erase(name);
    }
    adopted_.clear();
    return plans;
}

void Planner::add_work(const model::Cluster& cluster, const ObjectName& name, Work& work) {
    auto [entry, added] = work.try_emplace(name);
    if (!added) return;
    auto record = records_.try_emplace(name).first;
    const Service* service = cluster.service(name);
    if (service && state_of(*service) != ServiceState::planned) service = nullptr;
    entry->second = {.owner = &record->first, .record = &record->second, .service = service};
}

std::vector<Place> Planner::places(const Item& item, const ServicePort& port) const {
    if (!why_unplanned(*item.service, port).empty()) return {};
    return places_of(*item.service, port, cluster_ips(item), node_port(item, port), node_);
}

void Planner::place(const model::Cluster& cluster, Work& work) {
    struct Wanted {
        ClaimKey key;
        const Item* item;
        int rank;
    };
    std::vector<Wanted> wanted;
    std::vector<ClaimKey> freed;
    for (auto& [name, item] : work) {
        std::vector<ClaimKey> keys, of_cluster_ips;
        if (item.service) {
            for (const auto& port : item.service->ports) {
                for (const auto& place : places(item, port)) {
                    keys.push_back(ClaimKey::frontend(place.address, place.port, port.protocol));
                    if (place.kind == abi::FRONTEND_CLUSTER_IP) of_cluster_ips.push_back(keys.back());
                }
            }
        }
        auto claims = claim_set(std::move(keys));
        of_cluster_ips = claim_set(std::move(of_cluster_ips));
        for (const auto& key : difference(item.record->placed, claims)) {
            if (claims_.withdraw(key, item.owner)) freed.push_back(key);
        }
        for (const auto& key : difference(claims, item.record->placed)) {
            // Who had it before the agent started keeps it. An external IP must not capture another's ClusterIP
            // (CVE-2020-8554); among equals the smaller name wins.
            int rank = was_held(item, key) ? 0 : std::ranges::binary_search(of_cluster_ips, key) ? 1 : 2;
            wanted.push_back({.key = key, .item = &item, .rank = rank});
        }
        item.record->placed = std::move(claims);
    }
    std::vector<ObjectName> promoted;
    for (const auto& key : freed) {
        if (auto owner = claims_.promote(key)) promoted.push_back(*owner);
    }
    std::ranges::stable_sort(wanted, {}, &Wanted::rank);
    for (const auto& [key, item, rank] : wanted) claims_.claim(key, item->owner);
    // They have long asked for what they got: only their plans change.
    for (const auto& name : promoted) add_work(cluster, name, work);
}

ServicePlan Planner::build(const model::Cluster& cluster, const ObjectName& name, const Item& item) const {
    ServicePlan plan;
    plan.service = name;
    if (auto service = cluster.service(name)) {
        plan.state = state_of(*service);
        plan.origin = service->origin;
        if (plan.state != ServiceState::planned) plan.cluster_ips = service->cluster_ips;
    }
    if (!item.service) return plan;

    const auto& service = *item.service;
    ProblemList problems(service);
    problems.add_unserved_parts(node_);
    for (const auto& key : item.record->reserved) {
        if (auto holder = claims_.holder(key); holder != item.owner) problems.add_conflict(key, *holder);
    }
    add_starvation(item, problems);
    auto slices = cluster.slices_of(service);
    std::set<ClaimKey> taken;
    for (const auto& port : service.ports) {
        if (why_unplanned(service, port).empty()) plan.ports.push_back(build_port(item, port, slices, taken, problems));
    }
    plan.cluster_ips = cluster_ips(item);
    plan.health_check = build_health_check(item, slices, problems);
    plan.problems = problems.take();
    return plan;
}

// Its port is claimed like a NodePort: both are answered at the same addresses, and the datapath would come first.
std::optional<HealthCheck> Planner::build_health_check(const Item& item,
                                                       const std::vector<model::EndpointSlice>& slices,
                                                       ProblemList& problems) const {
    auto number = health_check_port(*item.service);
    if (number == 0 || claims_.holder(ClaimKey::node_port(number, model::Protocol::tcp)) != item.owner) return {};
    for (const auto& port : item.service->ports) {
        if (port.protocol != model::Protocol::tcp || node_port(item, port) != number) continue;
        problems.error(
            fmt::format("healthCheckNodePort {} is the nodePort of port {} too: it is not answered; choose another",
                        number, port.port));
        return {};
    }
    return HealthCheck{.port = number, .local_endpoints = ready_local_endpoints(*item.service, slices, node_)};
}

// taken: what earlier ports of the same Service have.
ServicePortPlan Planner::build_port(const Item& item, const ServicePort& port,
                                    const std::vector<model::EndpointSlice>& slices, std::set<ClaimKey>& taken,
                                    ProblemList& problems) const {
    auto wanted = places(item, port);
    std::erase_if(wanted, [&](const Place& place) {
        auto key = ClaimKey::frontend(place.address, place.port, port.protocol);
        auto holder = claims_.holder(key);
        bool ours = holder == item.owner && taken.insert(key).second;
        if (!ours) problems.add_place_conflict(place, port.protocol, *holder);
        return !ours;
    });
    return plan_port(*item.service, port, wanted, slices, node_);
}

}  // namespace weir::plan
