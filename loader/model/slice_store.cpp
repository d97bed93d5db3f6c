// SPDX-License-Identifier: Apache-2.0
#include "loader/model/slice_store.hpp"

#include <algorithm>
#include <boost/container_hash/hash.hpp>

namespace weir::model {

namespace {

std::size_t hash_of(const auto&... parts) {
    std::size_t hash = 0;
    (boost::hash_combine(hash, parts), ...);
    return hash;
}

}  // namespace

std::size_t SliceStore::Sort::hash() const {
    auto hash = hash_of(name_space, family, fqdn, from_endpoints);
    for (const auto& port : ports) boost::hash_combine(hash, hash_of(port.name, port.protocol, port.port));
    return hash;
}

std::size_t SliceStore::EndpointSort::hash() const {
    auto hash = hash_of(node_name, for_zones, for_nodes, addressed, ready, serving, terminating);
    for (const auto& address : more) boost::hash_combine(hash, std::hash<Address>()(address));
    return hash;
}

const SliceStore::Stored* SliceStore::store(const EndpointSlice& slice, std::uint32_t place) {
    Stored stored{.service = slice.service,
                  .name = slice.name.name,
                  .sort = sorts_.share({.name_space = slice.name.name_space,
                                        .ports = slice.ports,
                                        .family = slice.family,
                                        .fqdn = slice.fqdn,
                                        .from_endpoints = slice.from_endpoints}),
                  .file = slice.origin.file,
                  .endpoints = {},
                  .line = slice.origin.line,
                  .place = place};
    stored.endpoints.reserve(slice.endpoints.size());
    for (const auto& endpoint : slice.endpoints) {
        const auto& addresses = endpoint.addresses;
        EndpointSort sort{.node_name = endpoint.node_name,
                          .for_zones = endpoint.for_zones,
                          .for_nodes = endpoint.for_nodes,
                          .more = {},
                          .addressed = !addresses.empty(),
                          .ready = endpoint.ready,
                          .serving = endpoint.serving,
                          .terminating = endpoint.terminating};
        if (addresses.size() > 1) sort.more.assign(addresses.begin() + 1, addresses.end());
        stored.endpoints.emplace_back(addresses.empty() ? Address() : addresses.front(),
                                      endpoint_sorts_.share(std::move(sort)));
    }
    endpoint_count_ += stored.endpoints.size();
    return &*slices_.insert(std::move(stored));
}

EndpointSlice SliceStore::unpacked(const Stored& stored) {
    const auto& common = stored.sort->value;
    EndpointSlice slice{.name = {common.name_space, stored.name},
                        .origin = {stored.file, stored.line},
                        .service = stored.service,
                        .fqdn = common.fqdn,
                        .from_endpoints = common.from_endpoints,
                        .family = common.family,
                        .endpoints = {},
                        .ports = common.ports};
    slice.endpoints.reserve(stored.endpoints.size());
    for (const auto& [address, shared] : stored.endpoints) {
        const auto& sort = shared->value;
        auto& endpoint = slice.endpoints.emplace_back();
        if (sort.addressed) {
            endpoint.addresses.reserve(1 + sort.more.size());
            endpoint.addresses.push_back(address);
            endpoint.addresses.insert(endpoint.addresses.end(), sort.more.begin(), sort.more.end());
        }
        endpoint.ready = sort.ready;
        endpoint.serving = sort.serving;
        endpoint.terminating = sort.terminating;
        endpoint.node_name = sort.node_name;
        endpoint.for_zones = sort.for_zones;
        endpoint.for_nodes = sort.for_nodes;
    }
    return slice;
}

void SliceStore::add(const EndpointSlice& slice) {
    by_name_.insert(store(slice, 0));
}

void SliceStore::add_endpoints(const std::vector<EndpointSlice>& slices) {
    std::uint32_t place = 0;
    for (const auto& slice : slices) store(slice, place++);
}

std::optional<ObjectName> SliceStore::remove(const ObjectName& slice) {
    auto found = by_name_.find(key(slice));
    if (found == by_name_.end()) return {};
    const Stored* stored = *found;
    by_name_.erase(found);
    endpoint_count_ -= stored->endpoints.size();
    ObjectName service{slice.name_space, stored->service};
    auto [first, last] = slices_.equal_range(key(service));
    slices_.erase(std::find_if(first, last, [&](const Stored& one) { return &one == stored; }));
    return service;
}

void SliceStore::remove_endpoints(const ObjectName& name) {
    auto [first, last] = slices_.equal_range(key(name));
    while (first != last) {
        if (!first->sort->value.from_endpoints) {
            ++first;
            continue;
        }
        endpoint_count_ -= first->endpoints.size();
        first = slices_.erase(first);
    }
}

bool SliceStore::contains(const ObjectName& service) const {
    return slices_.find(key(service)) != slices_.end();
}

std::vector<EndpointSlice> SliceStore::of(const ObjectName& service) const {
    std::vector<const Stored*> chosen;
    auto [first, last] = slices_.equal_range(key(service));
    for (auto it = first; it != last; ++it) chosen.push_back(&*it);
    auto from_endpoints = [](const Stored* slice) { return slice->sort->value.from_endpoints; };
    // Mirroring would double what an Endpoints object says beside EndpointSlices.
    if (!std::ranges::all_of(chosen, from_endpoints)) std::erase_if(chosen, from_endpoints);
    std::ranges::sort(chosen, [&](const Stored* a, const Stored* b) {
        return from_endpoints(a) ? a->place < b->place : a->name < b->name;
    });
    std::vector<EndpointSlice> out;
    out.reserve(chosen.size());
    for (const auto* slice : chosen) out.push_back(unpacked(*slice));
    return out;
}

}  // namespace weir::model
