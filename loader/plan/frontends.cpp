// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/frontends.hpp"

#include <algorithm>
#include <optional>

namespace weir::plan {

namespace {

using model::Family;
using model::TrafficPolicy;

bool has_cidr(const NodeContext& node, Family family) {
    return std::ranges::any_of(node.service_cidrs, [&](const auto& cidr) { return cidr.base.family() == family; });
}

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

// An external IP may well be the address of another node, which has ports of its own.
bool is_of_a_node(const NodeContext& node, const model::Address& address) {
    return contains(node.addresses, address) || std::ranges::binary_search(node.other_nodes, address);
}

class PlaceList {
public:
    PlaceList(const std::vector<Family>& families, std::vector<Place>& out) : families_(families), out_(out) {}

    void add(abi::frontend_kind kind, const model::Address& address, std::uint16_t port, bool restricted = false) {
        if (!contains(families_, address.family())) return;
        auto same = std::ranges::find_if(out_, [&](const auto& p) { return p.address == address && p.port == port; });
        if (same == out_.end())
            out_.push_back({.kind = kind, .address = address, .port = port});
        else if (restricted)
            same->kind =
                kind;  // an address that is both an external IP and a restricted LB IP: the stricter one counts
    }

private:
    const std::vector<Family>& families_;
    std::vector<Place>& out_;
};

// Gives each distinct set one index.
class SetTable {
public:
    explicit SetTable(std::vector<BackendSet>& sets) : sets_(sets) {}

    Scope balance(const BackendSet& set) {
        auto found = std::ranges::find(sets_, set);
        auto index = static_cast<std::uint32_t>(found - sets_.begin());
        if (found == sets_.end()) sets_.push_back(set);
        return {.action = abi::SCOPE_BALANCE, .set = index};
    }

private:
    std::vector<BackendSet>& sets_;
};

Scope scope_of(const EligibleSets& sets, TrafficPolicy policy, SetTable& table) {
    if (sets.cluster.empty()) return {.action = abi::SCOPE_REJECT};
    if (policy == TrafficPolicy::cluster) return table.balance(sets.cluster);
    if (sets.local.empty()) return {.action = abi::SCOPE_NO_LOCAL};
    auto scope = table.balance(sets.local);
    scope.local = true;
    return scope;
}

constexpr Scope closed{.action = abi::SCOPE_CLOSED};

}  // namespace

std::vector<Family> families_of(const model::Service& service, const NodeContext& node) {
    std::vector<Family> families = service.ip_families;
    for (const auto& address : service.cluster_ips) {
        if (!contains(families, address.family())) families.push_back(address.family());
    }
    if (families.empty()) {
        bool ipv6_only = !has_cidr(node, Family::ipv4) && has_cidr(node, Family::ipv6);
        families.push_back(ipv6_only ? Family::ipv6 : Family::ipv4);
    }
    if (service.dual_stack) {
        for (auto family : {Family::ipv4, Family::ipv6}) {
            if (!contains(families, family) && has_cidr(node, family)) families.push_back(family);
        }
    }
    return families;
}

bool is_restricted(const model::Service& service, Family family) {
    bool named = false;
    for (const auto& range : service.source_ranges) {
        if (range.base.family() != family) continue;
        if (range.length == 0) return false;
        named = true;
    }
    return named;
}

std::vector<Place> places_of(const model::Service& service, const model::ServicePort& port,
                             const std::vector<model::Address>& cluster_ips, std::uint16_t node_port,
                             const NodeContext& node) {
    auto families = families_of(service, node);
    std::vector<Place> places;
    PlaceList list(families, places);
    for (const auto& address : cluster_ips) list.add(abi::FRONTEND_CLUSTER_IP, address, port.port);
    if (node_port != 0) {
        for (const auto& address : node.node_port_addresses) list.add(abi::FRONTEND_NODE_PORT, address, node_port);
    }
    for (const auto& address : service.external_ips) list.add(abi::FRONTEND_EXTERNAL_IP, address, port.port);
    if (service.type == model::ServiceType::load_balancer) {
        for (const auto& ingress : service.load_balancer) {
            if (ingress.mode == model::IpMode::vip)
                list.add(abi::FRONTEND_LOAD_BALANCER, ingress.ip, port.port,
                         is_restricted(service, ingress.ip.family()));
        }
    }
    return places;
}

ServicePortPlan plan_port(const model::Service& service, const model::ServicePort& port,
                          const std::vector<Place>& places, const std::vector<model::EndpointSlice>& slices,
                          const NodeContext& node) {
    ServicePortPlan plan;
    plan.name = service.name.to_string() + ":" + port.name;
    plan.protocol = port.protocol;
    plan.frontends.reserve(places.size());
    SetTable table(plan.sets);
    std::array<std::optional<EligibleSets>, 2> by_family;

    for (const auto& place : places) {
        auto family = place.address.family();
        auto& sets = by_family[family == Family::ipv4 ? 0 : 1];
        if (!sets) sets = eligible(slices, port, family, node);

        Frontend frontend{.kind = place.kind,
                          .address = place.address,
                          .port = place.port,
                          .cluster = {},
                          .external = {},
                          .restricted = place.kind == abi::FRONTEND_LOAD_BALANCER && is_restricted(service, family),
                          .of_node = place.kind == abi::FRONTEND_NODE_PORT || is_of_a_node(node, place.address)};
        if (place.kind == abi::FRONTEND_CLUSTER_IP) {
            frontend.cluster = scope_of(*sets, service.internal_traffic_policy, table);
            frontend.external = node.external_cluster_ip ? frontend.cluster : closed;
        } else {
            // The short-cut: inside the cluster nothing is gained by looking at this node's endpoints alone.
            frontend.cluster = scope_of(*sets, TrafficPolicy::cluster, table);
            frontend.external = scope_of(*sets, service.external_traffic_policy, table);
        }
        plan.frontends.push_back(frontend);
    }
    if (std::ranges::any_of(plan.frontends, &Frontend::restricted)) {
        plan.source_ranges = service.source_ranges;
        std::ranges::sort(plan.source_ranges);
        auto doubled = std::ranges::unique(plan.source_ranges);
        plan.source_ranges.erase(doubled.begin(), doubled.end());
    }
    plan.affinity_seconds = service.affinity_seconds;
    if (plan.affinity_seconds) {
        for (const auto& sets : by_family) {
            if (!sets) continue;
            plan.cluster_members.insert(plan.cluster_members.end(), sets->cluster.begin(), sets->cluster.end());
            plan.local_members.insert(plan.local_members.end(), sets->local.begin(), sets->local.end());
        }
        std::ranges::sort(plan.cluster_members);
        std::ranges::sort(plan.local_members);
    }
    return plan;
}

}  // namespace weir::plan
