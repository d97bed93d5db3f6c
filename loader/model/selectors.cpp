// SPDX-License-Identifier: Apache-2.0
#include "loader/model/selectors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace weir::model {
namespace {

void erase_from(auto& index, const std::string& key, const ObjectName& name) {
    auto found = index.find(key);
    if (found == index.end()) return;
    found->second.erase(name);
    if (found->second.empty()) index.erase(found);
}

std::optional<std::uint16_t> target_number(const ServicePort& port, const Pod& pod) {
    if (const auto* number = std::get_if<std::uint16_t>(&port.target_port)) return *number;
    const auto* name = std::get_if<std::string>(&port.target_port);
    if (!name) return port.port;
    auto found = std::ranges::find_if(pod.ports, [&](const auto& candidate) {
        return candidate.name == *name && candidate.protocol == port.protocol;
    });
    if (found == pod.ports.end()) return std::nullopt;
    return found->port;
}

// Ports whose name a Pod does not have are left out: that Pod does not serve them.
std::vector<EndpointPort> resolved_ports(const Service& service, const Pod& pod) {
    std::vector<EndpointPort> ports;
    for (const auto& port : service.ports) {
        if (auto number = target_number(port, pod)) ports.push_back({port.name, port.protocol, number});
    }
    return ports;
}

// Conditions as the endpoint-slice controller sets them.
Endpoint endpoint_of(const Service& service, const Pod& pod, const Address& address) {
    Endpoint endpoint;
    endpoint.addresses = {address};
    endpoint.ready = service.publish_not_ready || (pod.ready && !pod.terminating);
    endpoint.serving = pod.ready;
    endpoint.terminating = pod.terminating;
    endpoint.node_name = pod.node_name;
    return endpoint;
}

}  // namespace

bool selects(const Labels& selector, const Labels& labels) {
    return !selector.empty() && std::ranges::all_of(selector, [&](const auto& pair) {
        auto found = labels.find(pair.first);
        return found != labels.end() && found->second == pair.second;
    });
}

std::string label_key(const std::string& name_space, const std::string& key, const std::string& value) {
    // A line feed is in no name, key or value.
    return name_space + '\n' + key + '\n' + value;
}

void PodIndex::add(const Pod& pod) {
    for (const auto& [key, value] : pod.labels) pods_[label_key(pod.name.name_space, key, value)].insert(pod.name);
}

void PodIndex::remove(const Pod& pod) {
    for (const auto& [key, value] : pod.labels) erase_from(pods_, label_key(pod.name.name_space, key, value), pod.name);
}

const std::unordered_set<ObjectName>* PodIndex::candidates(const Service& service) const {
    const std::unordered_set<ObjectName>* fewest = nullptr;
    for (const auto& [key, value] : service.selector) {
        auto found = pods_.find(label_key(service.name.name_space, key, value));
        if (found == pods_.end()) return nullptr;
        if (!fewest || found->second.size() < fewest->size()) fewest = &found->second;
    }
    return fewest;
}

std::vector<EndpointSlice> slices_from_pods(const Service& service, const std::vector<const Pod*>& pods) {
    using PortKey = std::vector<std::pair<std::string, std::pair<Protocol, std::uint16_t>>>;
    std::map<std::pair<Family, PortKey>, EndpointSlice> slices;
    for (const auto* pod : pods) {
        if (pod->finished) continue;
        auto ports = resolved_ports(service, *pod);
        PortKey key;
        for (const auto& port : ports) key.push_back({port.name, {port.protocol, *port.port}});
        std::set<Family> seen;  // a Pod has one address of each family that counts: its first
        for (const auto& address : pod->ips) {
            auto family = address.family();
            if (!seen.insert(family).second) continue;
            auto [entry, fresh] = slices.try_emplace({family, key});
            auto& slice = entry->second;
            if (fresh) {
                slice.name = {service.name.name_space, fmt::format("{}#pods-{}", service.name.name, slices.size())};
                slice.origin = service.origin;
                slice.service = service.name.name;
                slice.family = family;
                slice.ports = ports;
            }
            slice.endpoints.push_back(endpoint_of(service, *pod, address));
        }
    }
    std::vector<EndpointSlice> out;
    out.reserve(slices.size());
    for (auto& [key, slice] : slices) out.push_back(std::move(slice));
    return out;
}

}  // namespace weir::model
