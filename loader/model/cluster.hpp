// SPDX-License-Identifier: Apache-2.0
// The cluster as the agent knows it: the objects in force, and which Services a change touches.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/model/selectors.hpp"
#include "loader/model/service_store.hpp"
#include "loader/model/slice_store.hpp"

namespace weir::model {

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
    // Applies one change and marks the Services that it touches as dirty: a Service itself; a slice's Service, before
    // and after the change; the Services whose selector matches a Pod before or after the change. A Node marks none:
    // the agent knows which node it is on and what of it matters.
    void apply(Change change);

    void mark_dirty(const ObjectName& service) { dirty_.insert(service); }
    void mark_all_dirty();
    // The Services that changed since the last call (also those that are gone), in name order.
    std::vector<ObjectName> take_dirty();

    bool has_service(const ObjectName& name) const { return services_.contains(name); }
    std::optional<Service> service(const ObjectName& name) const { return services_.find(name); }
    auto services() const { return services_.all(); }  // a range, in name order
    // All slices of a Service in name order: the EndpointSlices; where there are none those from Endpoints; where there
    // are neither and the Service has a selector, slices made from the Pods that it selects.
    std::vector<EndpointSlice> slices_of(const Service& service) const;
    const Node* node(const std::string& name) const;
    const std::unordered_map<std::string, Node>& nodes() const { return nodes_; }  // by name
    std::size_t pod_count() const { return pods_.size(); }
    std::size_t endpoint_count() const { return slices_.endpoint_count(); }  // of slices and Endpoints

private:
    void upsert(Service service);
    void upsert(std::vector<EndpointSlice> slices);
    void upsert(Pod pod);
    void upsert(Node node);
    void remove_service(const ObjectName& name);
    void remove_slice(const ObjectName& name);
    void remove_endpoints(const ObjectName& name);
    void remove_pod(const ObjectName& name);
    void mark_selecting(const Pod& pod);

    ServiceStore services_;
    SliceStore slices_;
    std::unordered_map<ObjectName, Pod> pods_;
    std::unordered_map<std::string, Node> nodes_;
    PodIndex pods_by_label_;
    std::set<ObjectName> dirty_;
};

}  // namespace weir::model
