// SPDX-License-Identifier: Apache-2.0
#include "loader/model/cluster.hpp"

#include <algorithm>

namespace weir::model {

void Cluster::apply(Change change) {
    if (auto* upserted = std::get_if<Upsert>(&change)) {
        std::visit([this](auto& object) { upsert(std::move(object)); }, upserted->object);
        return;
    }
    const auto& [kind, name] = std::get<Remove>(change);
    switch (kind) {
        case Kind::service:
            return remove_service(name);
        case Kind::endpoint_slice:
            return remove_slice(name);
        case Kind::endpoints:
            return remove_endpoints(name);
        case Kind::pod:
            return remove_pod(name);
        case Kind::node:
            nodes_.erase(name.name);
            return;
    }
}

void Cluster::mark_all_dirty() {
    for (const auto& name : services_.names()) dirty_.insert(name);
}

std::vector<ObjectName> Cluster::take_dirty() {
    std::vector<ObjectName> out(dirty_.begin(), dirty_.end());
    dirty_.clear();
    return out;
}

const Node* Cluster::node(const std::string& name) const {
    auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<EndpointSlice> Cluster::slices_of(const Service& service) const {
    auto slices = slices_.of(service.name);
    if (!slices.empty() || service.selector.empty()) return slices;
    const auto* names = pods_by_label_.candidates(service);
    if (!names) return {};
    std::vector<const Pod*> pods;
    for (const auto& name : *names) {
        const auto& pod = pods_.at(name);
        if (selects(service.selector, pod.labels)) pods.push_back(&pod);
    }
    std::ranges::sort(pods, {}, [](const Pod* pod) -> const ObjectName& { return pod->name; });
    return slices_from_pods(service, pods);
}

void Cluster::upsert(Service service) {
    dirty_.insert(service.name);
    services_.put(std::move(service));
}

void Cluster::remove_service(const ObjectName& name) {
    dirty_.insert(name);
    services_.remove(name);
}

void Cluster::upsert(std::vector<EndpointSlice> slices) {
    const auto& first = slices.front();
    ObjectName service{first.name.name_space, first.service};
    if (first.from_endpoints) {
        remove_endpoints(service);
        slices_.add_endpoints(slices);
        return;
    }
    remove_slice(first.name);
    slices_.add(first);
    dirty_.insert(service);
}

void Cluster::remove_slice(const ObjectName& name) {
    if (auto service = slices_.remove(name)) dirty_.insert(std::move(*service));
}

void Cluster::remove_endpoints(const ObjectName& name) {
    dirty_.insert(name);
    slices_.remove_endpoints(name);
}

void Cluster::upsert(Pod pod) {
    remove_pod(pod.name);
    pods_by_label_.add(pod);
    auto [place, added] = pods_.insert_or_assign(pod.name, std::move(pod));
    mark_selecting(place->second);
}

void Cluster::remove_pod(const ObjectName& name) {
    auto found = pods_.find(name);
    if (found == pods_.end()) return;
    mark_selecting(found->second);
    pods_by_label_.remove(found->second);
    pods_.erase(found);
}

void Cluster::mark_selecting(const Pod& pod) {
    for (auto& name : services_.selecting(pod))
        if (!slices_.contains(name)) dirty_.insert(std::move(name));
}

void Cluster::upsert(Node node) {
    auto name = node.name.name;
    nodes_.insert_or_assign(std::move(name), std::move(node));
}

}  // namespace weir::model
