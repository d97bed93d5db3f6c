// SPDX-License-Identifier: Apache-2.0
// The EndpointSlices of the cluster. There are hundreds of thousands of endpoints, which differ in little but their
// address: what they have in common is kept once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/model/pool.hpp"

namespace weir::model {

class SliceStore {
public:
    SliceStore() = default;
    SliceStore(const SliceStore&) = delete;
    SliceStore& operator=(const SliceStore&) = delete;
    SliceStore(SliceStore&&) = default;
    SliceStore& operator=(SliceStore&&) = default;

    // An EndpointSlice whose name is not there yet.
    void add(const EndpointSlice& slice);
    // All that an Endpoints object has become, in its order; none of it is there yet.
    void add_endpoints(const std::vector<EndpointSlice>& slices);

    // The name of the Service whose slice it was; nothing: there was none.
    std::optional<ObjectName> remove(const ObjectName& slice);
    // Removes the slices that came from the Endpoints object of this name.
    void remove_endpoints(const ObjectName& name);

    // Tell whether the Service has slices, and return them: the EndpointSlices in name order, or if there are none,
    // those that came from Endpoints.
    bool contains(const ObjectName& service) const;
    std::vector<EndpointSlice> of(const ObjectName& service) const;

    std::size_t endpoint_count() const { return endpoint_count_; }

private:
    // The parts that many slices have in common.
    struct Sort {
        std::string name_space;
        std::vector<EndpointPort> ports;
        Family family;
        bool fqdn;
        bool from_endpoints;
        bool operator==(const Sort&) const = default;
        std::size_t hash() const;
    };
    // The parts that many endpoints have in common.
    struct EndpointSort {
        std::string node_name;
        std::vector<std::string> for_zones;
        std::vector<std::string> for_nodes;
        std::vector<Address> more;  // addresses after the first
        bool addressed;
        bool ready;
        bool serving;
        bool terminating;
        bool operator==(const EndpointSort&) const = default;
        std::size_t hash() const;
    };
    struct Stored {
        std::string service;
        std::string name;
        Pool<Sort>::Shared sort;
        FileName file;
        std::vector<std::pair<Address, Pool<EndpointSort>::Shared>> endpoints;
        int line;
        std::uint32_t place;  // among what an Endpoints object has become
    };
    // A slice, or the name of one or of a Service: what the tables are searched for.
    struct Key {
        std::string_view name_space;
        std::string_view name;
        bool operator==(const Key&) const = default;
    };
    static Key key(const ObjectName& name) { return {name.name_space, name.name}; }
    struct ServiceOf {
        static Key key(const Stored& slice) { return {slice.sort->value.name_space, slice.service}; }
        static Key key(const Key& key) { return key; }
    };
    struct NameOf {
        static Key key(const Stored* slice) { return {slice->sort->value.name_space, slice->name}; }
        static Key key(const Key& key) { return key; }
    };
    template <class Of>
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const auto& entry) const {
            auto key = Of::key(entry);
            return std::hash<std::string_view>()(key.name) * 31 + std::hash<std::string_view>()(key.name_space);
        }
    };
    template <class Of>
    struct Equal {
        using is_transparent = void;
        bool operator()(const auto& a, const auto& b) const { return Of::key(a) == Of::key(b); }
    };

    const Stored* store(const EndpointSlice& slice, std::uint32_t place);
    static EndpointSlice unpacked(const Stored& slice);

    Pool<Sort> sorts_;
    Pool<EndpointSort> endpoint_sorts_;
    std::unordered_multiset<Stored, Hash<ServiceOf>, Equal<ServiceOf>> slices_;  // by Service
    std::unordered_set<const Stored*, Hash<NameOf>, Equal<NameOf>> by_name_;     // EndpointSlices only
    std::size_t endpoint_count_ = 0;
};

}  // namespace weir::model
