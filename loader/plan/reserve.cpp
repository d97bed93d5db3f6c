// SPDX-License-Identifier: Apache-2.0
// The planner's first half: which ClusterIPs and NodePorts does each Service have, by its own word or given by weir?
#include <fmt/format.h>

#include <algorithm>

#include "loader/plan/allocate.hpp"
#include "loader/plan/local_endpoints.hpp"
#include "loader/plan/planner.hpp"
#include "loader/plan/problems.hpp"

namespace weir::plan {

namespace {

using model::Address;
using model::ObjectName;
using model::Service;
using model::ServicePort;

bool gives_cluster_ip(const Service& service, model::Family family) {
    return std::ranges::any_of(service.cluster_ips, [&](const auto& address) { return address.family() == family; });
}

bool wants_allocation(const Service& service, const ServicePort& port) {
    // allocateLoadBalancerNodePorts: false asks for none; one that is named is served all the same.
    bool wanted = service.type != model::ServiceType::load_balancer || service.allocate_node_ports;
    return has_node_ports(service) && wanted && port.node_port == 0 && why_unplanned(service, port).empty();
}

bool has_family(const std::vector<Address>& addresses, model::Family family) {
    return std::ranges::any_of(addresses, [&](const auto& address) { return address.family() == family; });
}

auto find_cidr(const NodeContext& node, model::Family family) {
    auto found = std::ranges::find_if(node.service_cidrs, [&](const auto& c) { return c.base.family() == family; });
    return found == node.service_cidrs.end() ? nullptr : &*found;
}

}  // namespace

// The ClusterIPs and NodePorts that a Service names itself, healthCheckNodePort among them.
ClaimSet Planner::reservations_of(const Service& service) const {
    std::vector<ClaimKey> keys;
    keys.reserve(service.cluster_ips.size());
    for (const auto& address : service.cluster_ips) keys.push_back(ClaimKey::cluster_ip(address));
    if (has_node_ports(service)) {
        for (const auto& port : service.ports) {
            if (port.node_port != 0 && why_unplanned(service, port).empty())
                keys.push_back(ClaimKey::node_port(port.node_port, port.protocol));
        }
    }
    if (auto port = health_check_port(service); port != 0)
        keys.push_back(ClaimKey::node_port(port, model::Protocol::tcp));
    return claim_set(std::move(keys));
}

// Tells whether a Service goes on using an address that it was given.
bool Planner::keeps(const Service& service, const Address& allocated) const {
    auto families = families_of(service, node_);
    return std::ranges::find(families, allocated.family()) != families.end() &&
           !gives_cluster_ip(service, allocated.family()) &&
           std::ranges::any_of(node_.service_cidrs, [&](const auto& cidr) { return is_allocatable(cidr, allocated); });
}

bool Planner::keeps(const Service& service, const AllocatedPort& allocated) const {
    return has_node_ports(service) && allocated.number >= node_.node_port_min &&
           allocated.number <= node_.node_port_max && std::ranges::any_of(service.ports, [&](const auto& port) {
               return port.name == allocated.port && port.protocol == allocated.protocol && port.node_port == 0;
           });
}

void Planner::release_reservations(const model::Cluster& cluster, Work& work) {
    std::vector<ClaimKey> freed;
    bool released = false;
    auto withdraw = [&](const ClaimKey& key, const Item& item) {
        released = true;
        if (claims_.withdraw(key, item.owner)) freed.push_back(key);
        if (keep_adopted_ && !cluster.has_service(*item.owner)) awaited_.try_emplace(key, *item.owner);
    };
    // With a ClusterIP go its frontends: the address is free for allocation only without them.
    auto withdraw_places = [&](const ClaimKey& key, const Item& item) {
        std::erase_if(item.record->placed, [&](const auto& place) {
            if (key.port != 0 || place.address != key.address) return false;
            withdraw(place, item);
            return true;
        });
    };
    for (auto& [name, item] : work) {
        auto& record = *item.record;
        auto wanted = item.service ? reservations_of(*item.service) : ClaimSet();
        auto gone = difference(record.reserved, wanted);
        for (const auto& key : gone) {
            withdraw(key, item);
            withdraw_places(key, item);
        }
        record.reserved = difference(record.reserved, gone);
        std::erase_if(record.cluster_ips, [&](const auto& address) {
            if (item.service && keeps(*item.service, address)) return false;
            withdraw(ClaimKey::cluster_ip(address), item);
            withdraw_places(ClaimKey::cluster_ip(address), item);
            return true;
        });
        std::erase_if(record.node_ports, [&](const auto& port) {
            if (item.service && keeps(*item.service, port)) return false;
            withdraw(ClaimKey::node_port(port.number, port.protocol), item);
            return true;
        });
    }
    for (const auto& key : freed) {
        if (auto owner = claims_.promote(key)) add_work(cluster, *owner, work);
    }
    if (!released) return;
    for (const auto& name : starved_) add_work(cluster, name, work);
}

void Planner::reserve(const model::Cluster& cluster, Work& work) {
    struct Wanted {
        ClaimKey key;
        const Item* item;
    };
    std::vector<Wanted> wanted;
    for (auto& [name, item] : work) {
        if (!item.service) continue;
        auto keys = reservations_of(*item.service);
        for (const auto& key : difference(keys, item.record->reserved)) wanted.push_back({.key = key, .item = &item});
        item.record->reserved = std::move(keys);
    }
    // The holder before the agent started keeps it; otherwise the smaller name wins.
    std::ranges::stable_partition(wanted, [&](const auto& w) { return was_held(*w.item, w.key); });

    std::vector<ObjectName> evicted;
    for (const auto& [key, item] : wanted) {
        // A Service that only was given the address or port makes way.
        auto holder = claims_.holder(key);
        if (holder && holder != item->owner) {
            auto& record = records_.at(*holder);
            auto given = key.port == 0 ? std::erase(record.cluster_ips, key.address)
                                       : std::erase_if(record.node_ports, [&](const auto& port) {
                                             return ClaimKey::node_port(port.number, port.protocol) == key;
                                         });
            if (given) {
                claims_.withdraw(key, holder);
                evicted.push_back(*holder);
            }
        }
        claims_.claim(key, item->owner);
    }
    for (const auto& name : evicted) add_work(cluster, name, work);
}

bool Planner::was_held(const Item& item, const ClaimKey& key) const {
    if (adopted_.empty()) return false;
    bool node_port = key.address == Address() && key.port != 0;
    return std::ranges::any_of(adopted_by(item), [&](const Held& held) {
        bool same_port = held.port == key.port && static_cast<std::uint8_t>(held.protocol) == key.protocol;
        if (node_port) return held.kind == abi::FRONTEND_NODE_PORT && same_port;
        return held.address == key.address && (key.port == 0 || same_port);
    });
}

std::span<const Planner::Held> Planner::adopted_by(const Item& item) const {
    auto found = adopted_.find(*item.owner);
    if (found == adopted_.end()) return {};
    return found->second;
}

// Tells whether a Service holds the key, or it is kept for one that is not there.
bool Planner::is_taken(const ClaimKey& key, const model::Cluster& cluster) const {
    if (claims_.holder(key)) return true;
    auto found = awaited_.find(key);
    return found != awaited_.end() && !cluster.has_service(found->second);
}

void Planner::allocate(const model::Cluster& cluster, Work& work) {
    for (bool adopted_only : {true, false}) {
        if (adopted_only && adopted_.empty()) continue;
        Pass pass{.cluster = cluster, .adopted_only = adopted_only, .full_cidrs = {}, .full_ports = {}};
        for (auto& [name, item] : work) {
            if (!item.service) continue;
            allocate_cluster_ips(item, pass);
            allocate_node_ports(item, pass);
        }
    }
    for (auto& [name, item] : work) {
        if (is_starved(item))
            starved_.insert(name);
        else
            starved_.erase(name);
    }
}

// An external IP inside the service CIDR is rare but allowed: keep clear of it.
bool Planner::is_free(const Item& item, const Address& address, const Pass& pass) const {
    return !is_taken(ClaimKey::cluster_ip(address), pass.cluster) &&
           std::ranges::none_of(item.service->ports, [&](const auto& port) {
               return claims_.holder(ClaimKey::frontend(address, port.port, port.protocol));
           });
}

void Planner::allocate_cluster_ips(const Item& item, Pass& pass) {
    auto& given = item.record->cluster_ips;
    auto free = [&](const Address& candidate) { return is_free(item, candidate, pass); };
    for (auto family : families_of(*item.service, node_)) {
        auto cidr = find_cidr(node_, family);
        if (!cidr || gives_cluster_ip(*item.service, family) || has_family(given, family)) continue;
        std::optional<Address> address;
        if (pass.adopted_only) {
            for (const auto& held : adopted_by(item)) {
                if (!address && held.kind == abi::FRONTEND_CLUSTER_IP && is_allocatable(*cidr, held.address) &&
                    free(held.address))
                    address = held.address;
            }
        } else if (!pass.full_cidrs.contains(family)) {
            address = allocate_cluster_ip(*cidr, item.owner->to_string(), free);
            if (!address) pass.full_cidrs.insert(family);
        }
        if (!address) continue;
        claims_.claim(ClaimKey::cluster_ip(*address), item.owner);
        given.push_back(*address);
    }
}

void Planner::allocate_node_ports(const Item& item, Pass& pass) {
    auto& given = item.record->node_ports;
    for (const auto& port : item.service->ports) {
        if (!wants_allocation(*item.service, port) || node_port(item, port) != 0) continue;
        auto free = [&](std::uint16_t number) {
            return !is_taken(ClaimKey::node_port(number, port.protocol), pass.cluster);
        };
        auto name = item.owner->to_string() + ":" + port.name;
        std::optional<std::uint16_t> number;
        if (pass.adopted_only) {
            for (const auto& held : adopted_by(item)) {
                if (!number && held.kind == abi::FRONTEND_NODE_PORT && held.service_port == name &&
                    held.protocol == port.protocol && free(held.port) && held.port >= node_.node_port_min &&
                    held.port <= node_.node_port_max)
                    number = held.port;
            }
        } else if (!pass.full_ports.contains(port.protocol)) {
            number = allocate_node_port(node_, name, port.protocol, free);
            if (!number) pass.full_ports.insert(port.protocol);
        }
        if (!number) continue;
        claims_.claim(ClaimKey::node_port(*number, port.protocol), item.owner);
        given.push_back({.port = port.name, .protocol = port.protocol, .number = *number});
    }
}

std::uint16_t Planner::node_port(const Item& item, const ServicePort& port) const {
    if (!has_node_ports(*item.service)) return 0;
    if (port.node_port != 0)
        return claims_.holder(ClaimKey::node_port(port.node_port, port.protocol)) == item.owner ? port.node_port : 0;
    auto given = std::ranges::find_if(item.record->node_ports, [&](const auto& allocated) {
        return allocated.port == port.name && allocated.protocol == port.protocol;
    });
    return given == item.record->node_ports.end() ? std::uint16_t{0} : given->number;
}

std::vector<Address> Planner::cluster_ips(const Item& item) const {
    std::vector<Address> addresses;
    for (const auto& address : item.service->cluster_ips) {
        if (claims_.holder(ClaimKey::cluster_ip(address)) == item.owner) addresses.push_back(address);
    }
    addresses.insert(addresses.end(), item.record->cluster_ips.begin(), item.record->cluster_ips.end());
    return addresses;
}

bool Planner::is_starved(const Item& item) const {
    if (!item.service) return false;
    ProblemList problems(*item.service);
    add_starvation(item, problems);
    return !problems.take().empty();
}

void Planner::add_starvation(const Item& item, ProblemList& problems) const {
    for (auto family : families_of(*item.service, node_)) {
        if (gives_cluster_ip(*item.service, family) || has_family(item.record->cluster_ips, family)) continue;
        auto name = family == model::Family::ipv4 ? "IPv4" : "IPv6";
        if (auto cidr = find_cidr(node_, family))
            problems.error(fmt::format("no ClusterIP left to allocate in {}: make serviceCIDR larger, or set clusterIP",
                                       cidr->to_string()));
        else
            problems.error(fmt::format(
                "no {} ClusterIP can be allocated: add an {} range to serviceCIDR, or set clusterIP", name, name));
    }
    for (const auto& port : item.service->ports) {
        if (wants_allocation(*item.service, port) && node_port(item, port) == 0)
            problems.error(
                fmt::format("no NodePort left to allocate in {}-{} for port {}/{}: make nodePortRange larger, or "
                            "set nodePort",
                            node_.node_port_min, node_.node_port_max, port.port, model::to_string(port.protocol)));
    }
}

}  // namespace weir::plan
