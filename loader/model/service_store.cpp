// SPDX-License-Identifier: Apache-2.0
#include "loader/model/service_store.hpp"

#include <algorithm>
#include <boost/container_hash/hash.hpp>
#include <utility>

#include "loader/model/selectors.hpp"

namespace weir::model {

// Hashes the fields in which Services differ most often. Operator == compares the others.
std::size_t ServiceStore::Sort::hash() const {
    std::size_t hash = 0;
    boost::hash_combine(hash, service.type);
    boost::hash_combine(hash, service.health_check_node_port);
    boost::hash_combine(hash, service.external_name);
    for (const auto& port : service.ports) {
        boost::hash_combine(hash, port.name);
        boost::hash_combine(hash, port.port);
        boost::hash_combine(hash, port.node_port);
    }
    for (const auto& address : service.external_ips) boost::hash_combine(hash, std::hash<Address>()(address));
    for (const auto& ingress : service.load_balancer) boost::hash_combine(hash, std::hash<Address>()(ingress.ip));
    return hash;
}

Service ServiceStore::unpacked(const Stored& stored) {
    Service service = stored.sort->value.service;
    service.name = stored.name;
    service.origin = stored.origin;
    service.selector = stored.selector;
    service.cluster_ips = stored.cluster_ips;
    return service;
}

void ServiceStore::put(Service service) {
    remove(service.name);
    // Copies: what was decoded lies between much that is freed when all of it has come here, and would hold on to the
    // pages around it.
    Stored stored{.name = service.name,
                  .selector = service.selector,
                  .cluster_ips = service.cluster_ips,
                  .sort = {},
                  .origin = service.origin};
    service.name = {};
    service.selector = {};
    service.cluster_ips = {};
    service.origin = {};
    stored.sort = sorts_.share({std::move(service)});
    const auto& kept = *services_.insert(std::move(stored)).first;
    if (!kept.selector.empty()) by_pair_.insert(&kept);
}

void ServiceStore::remove(const ObjectName& name) {
    auto found = services_.find(name);
    if (found == services_.end()) return;
    if (!found->selector.empty()) {
        auto [first, last] = by_pair_.equal_range(&*found);
        by_pair_.erase(std::find(first, last, &*found));
    }
    services_.erase(found);
}

std::optional<Service> ServiceStore::find(const ObjectName& name) const {
    auto found = services_.find(name);
    if (found == services_.end()) return {};
    return unpacked(*found);
}

std::vector<ObjectName> ServiceStore::selecting(const Pod& pod) const {
    std::vector<ObjectName> out;
    for (const auto& [key, value] : pod.labels) {
        auto [first, last] = by_pair_.equal_range(Pair{pod.name.name_space, key, value});
        for (auto it = first; it != last; ++it)
            if (selects((*it)->selector, pod.labels)) out.push_back((*it)->name);
    }
    return out;
}

}  // namespace weir::model
