// SPDX-License-Identifier: Apache-2.0
// The cluster as the agent knows it: the objects in force, and which Services a change touches.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "loader/model/objects.hpp"

namespace weir::model {

enum class Kind { service, endpoint_slice, pod, node };

// Change events are the same from every source: an object in its new form, or an identity that is gone.
struct Upsert {
    Object object;
};
struct Remove {
    Kind kind;
    ObjectName name;
};
using Change = std::variant<Upsert, Remove>;

class Cluster {
public:
    // Applies one change and marks the Services that it touches as dirty:
    // a Service itself; a slice's Service; the Services whose selector matches a Pod before or after the change;
    // every Service for a change of this node's Node object.
    void apply(Change change);

    // The Services that changed since the last call (also those that are gone), in name order.
    std::vector<ObjectName> take_dirty();

    const Service* service(const ObjectName&) const;
    const std::map<ObjectName, Service>& services() const;
    // All slices of a Service in name order: the EndpointSlices; where there are none those from Endpoints; where there
    // are neither and the Service has a selector, slices made from the Pods that it selects (semantics section 1).
    std::vector<EndpointSlice> slices_of(const Service&) const;
    const Node* node(const std::string& name) const;
    std::size_t pod_count() const;
    std::size_t endpoint_count() const;
    // ... private members are the implementer's
};

}  // namespace weir::model
