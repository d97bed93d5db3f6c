// SPDX-License-Identifier: Apache-2.0
// The Services of the cluster, in name order. There are tens of thousands, and most differ in little but names, labels
// and addresses: what they have in common is kept once.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <ranges>
#include <set>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/model/pool.hpp"

namespace weir::model {

class ServiceStore {
public:
    ServiceStore() = default;
    ServiceStore(const ServiceStore&) = delete;
    ServiceStore& operator=(const ServiceStore&) = delete;
    ServiceStore(ServiceStore&&) = default;
    ServiceStore& operator=(ServiceStore&&) = default;

    // In place of one of the same name.
    void put(Service service);
    void remove(const ObjectName& name);

    bool contains(const ObjectName& name) const { return services_.contains(name); }
    std::optional<Service> find(const ObjectName& name) const;
    auto all() const { return std::views::transform(services_, unpacked); }  // by value
    auto names() const { return std::views::transform(services_, &Stored::name); }

    // Names of the Services that select the Pod.
    std::vector<ObjectName> selecting(const Pod& pod) const;

private:
    struct Sort {
        Service service;  // without what Stored has
        bool operator==(const Sort&) const = default;
        std::size_t hash() const;
    };
    struct Stored {
        ObjectName name;
        Labels selector;
        std::vector<Address> cluster_ips;
        Pool<Sort>::Shared sort;
        Origin origin;
    };
    struct Order {
        using is_transparent = void;
        static const ObjectName& name(const ObjectName& name) { return name; }
        static const ObjectName& name(const Stored& service) { return service.name; }
        bool operator()(const auto& a, const auto& b) const { return name(a) < name(b); }
    };

    // The first pair of a selector: a Pod that is selected has it among its labels.
    struct Pair {
        std::string_view name_space, key, value;
        bool operator==(const Pair&) const = default;
    };
    static Pair pair(const Pair& pair) { return pair; }
    static Pair pair(const Stored* service) {
        const auto& [key, value] = *service->selector.begin();
        return {service->name.name_space, key, value};
    }
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const auto& entry) const {
            auto [name_space, key, value] = pair(entry);
            std::hash<std::string_view> hash;
            return (hash(value) * 31 + hash(key)) * 31 + hash(name_space);
        }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(const auto& a, const auto& b) const { return pair(a) == pair(b); }
    };

    static Service unpacked(const Stored& stored);

    Pool<Sort> sorts_;
    std::set<Stored, Order> services_;
    std::unordered_multiset<const Stored*, Hash, Equal> by_pair_;  // those that have a selector
};

}  // namespace weir::model
