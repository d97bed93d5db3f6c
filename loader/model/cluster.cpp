// SPDX-License-Identifier: Apache-2.0
#include "loader/model/cluster.hpp"

#include <algorithm>

namespace weir::model {
namespace {

std::size_t endpoints_in(const std::vector<EndpointSlice>& slices) {
    std::size_t count = 0;
    for (const auto& slice : slices) count += slice.endpoints.size();
    return count;
}

}  // namespace

void Cluster::apply(Change change) {
    if (auto* upserted = std::get_if<Upsert>(&change)) {
        std::visit([this](auto&& object) { upsert(std::move(object)); }, std::move(upserted->object));
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
    for (const auto& [name, service] : services_) dirty_.insert(name);
}

std::vector<ObjectName> Cluster::take_dirty() {
    std::vector<ObjectName> out(dirty_.begin(), dirty_.end());
    dirty_.clear();
    return out;
}

const Service* Cluster::service(const ObjectName& name) const {
    auto found = services_.find(name);
    return found == services_.end() ? nullptr : &found->second;
}

const Node* Cluster::node(const std::string& name) const {
    auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

std::vector<EndpointSlice> Cluster::slices_of(const Service& service) const {
    std::vector<EndpointSlice> out;
    if (auto found = slices_.find(service.name); found != slices_.end()) {
        if (found->second.slices.empty()) return found->second.endpoints;
        out.reserve(found->second.slices.size());
        for (const auto& [name, slice] : found->second.slices) out.push_back(slice);
        return out;
    }
    if (service.selector.empty()) return out;
    const auto* names = pods_by_label_.candidates(service);
    if (!names) return out;
    std::vector<const Pod*> pods;
    for (const auto& name : *names) {
        const auto& pod = pods_.at(name);
        if (selects(service.selector, pod.labels)) pods.push_back(&pod);
    }
    std::ranges::sort(pods, {}, [](const Pod* pod) -> const ObjectName& { return pod->name; });
    return slices_from_pods(service, pods);
}

void Cluster::upsert(Service service) {
    auto name = service.name;
    remove_service(name);
    selectors_.add(service);
    services_.insert_or_assign(name, std::move(service));
}

void Cluster::remove_service(const ObjectName& name) {
    dirty_.insert(name);
    auto found = services_.find(name);
    if (found == services_.end()) return;
    selectors_.remove(found->second);
    services_.erase(found);
}

void Cluster::upsert(std::vector<EndpointSlice> slices) {
    auto& first = slices.front();
    ObjectName service{first.name.name_space, first.service};
    if (first.from_endpoints) {
        remove_endpoints(service);
        endpoint_count_ += endpoints_in(slices);
        slices_[service].endpoints = std::move(slices);
        return;
    }
    remove_slice(first.name);
    endpoint_count_ += first.endpoints.size();
    service_of_slice_[first.name] = first.service;
    auto name = first.name;
    slices_[service].slices.insert_or_assign(std::move(name), std::move(first));
    dirty_.insert(service);
}

void Cluster::remove_slice(const ObjectName& name) {
    auto owner = service_of_slice_.find(name);
    if (owner == service_of_slice_.end()) return;
    ObjectName service{name.name_space, owner->second};
    service_of_slice_.erase(owner);
    auto found = slices_.find(service);
    auto slice = found->second.slices.find(name);
    endpoint_count_ -= slice->second.endpoints.size();
    found->second.slices.erase(slice);
    if (found->second.empty()) slices_.erase(found);
    dirty_.insert(service);
}

void Cluster::remove_endpoints(const ObjectName& name) {
    dirty_.insert(name);
    auto found = slices_.find(name);
    if (found == slices_.end()) return;
    endpoint_count_ -= endpoints_in(found->second.endpoints);
    found->second.endpoints.clear();
    if (found->second.empty()) slices_.erase(found);
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
    selectors_.candidates(pod, [&](const ObjectName& name) {
        if (!slices_.contains(name) && selects(services_.at(name).selector, pod.labels)) dirty_.insert(name);
    });
}

void Cluster::upsert(Node node) {
    auto name = node.name.name;
    nodes_.insert_or_assign(std::move(name), std::move(node));
}

}  // namespace weir::model
