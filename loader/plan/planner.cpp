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

// Returns the Service of "namespace/name:port".
ObjectName service_of(std::string_view service_port) {
    auto name = service_port.substr(0, service_port.find(':'));
    auto slash = name.find('/');
    if (slash == std::string_view::npos) return {.name_space = "", .name = std::string(name)};
    return {.name_space = std::string(name.substr(0, slash)), .name = std::string(name.substr(slash + 1))};
}

}  // namespace

Planner::Planner(NodeContext node) : node_(std::move(node)) {}

void Planner::set_node(NodeContext node) {
    node_ = std::move(node);
}

void Planner::adopt(const std::vector<Held>& held) {
    for (const auto& entry : held) adopted_[service_of(entry.service_port)].push_back(entry);
}

void Planner::keep_adopted(bool keep) {
    if (keep == keep_adopted_) return;
    keep_adopted_ = keep;
    if (!keep) return;
    for (const auto& [name, entries] : adopted_) {
        for (const auto& held : entries) {
            if (held.kind == abi::FRONTEND_CLUSTER_IP) awaited_.try_emplace(ClaimKey::cluster_ip(held.address), name);
            if (held.kind == abi::FRONTEND_NODE_PORT)
                awaited_.try_emplace(ClaimKey::node_port(held.port, held.protocol), name);
        }
    }
}

// Reservations come first, since allocations must keep clear of them; frontends follow from both. In each step
// everything is released before anything is taken, so that Services can trade addresses within one change.
std::vector<ServicePlan> Planner::plan(const model::Cluster& cluster, const std::vector<ObjectName>& dirty) {
    // First, and together: what is kept must not lie between what goes with the work.
    for (const auto& name : dirty) records_.try_emplace(name);
    Work work;
    for (const auto& name : dirty) add_work(cluster, name, work);
    // Claims that are kept no longer are free; and a Service that comes back may not want what was kept for it.
    bool freed = keep_adopted_ ? std::ranges::any_of(dirty, [&](const auto& name) { return adopted_.contains(name); })
                               : !awaited_.empty();
    if (!keep_adopted_) awaited_.clear();
    if (freed)
        for (const auto& name : starved_) add_work(cluster, name, work);
    release_reservations(cluster, work);
    reserve(cluster, work);
    allocate(cluster, work);
    place(cluster, work);

    std::vector<ServicePlan> plans;
    plans.reserve(work.size());
    for (const auto& [name, item] : work) plans.push_back(build(cluster, name, item));
    for (const auto& [name, item] : work) {
        // The Service holds nothing and waits for nothing any more: place() released the last of its claims.
        if (!item.service && !cluster.has_service(name)) records_.erase(name);
    }
    if (!keep_adopted_) adopted_.clear();
    return plans;
}

void Planner::add_work(const model::Cluster& cluster, const ObjectName& name, Work& work) {
    // Most come in name order.
    auto before = work.size();
    auto entry = work.try_emplace(work.end(), name);
    if (work.size() == before) return;
    auto record = records_.try_emplace(name).first;
    auto service = cluster.service(name);
    if (service && state_of(*service) != ServiceState::planned) service.reset();
    entry->second = {.owner = &record->first, .record = &record->second, .service = std::move(service)};
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
            // The holder before the agent started keeps it. An external IP must not capture another's ClusterIP
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
    if (!item.service) {
        if (auto service = cluster.service(name)) {
            plan.state = state_of(*service);
            plan.origin = std::move(service->origin);
            plan.cluster_ips = std::move(service->cluster_ips);
        }
        return plan;
    }
    const auto& service = *item.service;
    plan.origin = service.origin;
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
