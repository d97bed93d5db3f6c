// SPDX-License-Identifier: Apache-2.0
// Finds the Pods that a Service selects without looking at all of them: 44,000 selectors times 250,000 Pods would take
// minutes.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "loader/model/objects.hpp"

namespace weir::model {

bool selects(const Labels& selector, const Labels& labels);

// One pair of a label, in its namespace.
std::string label_key(const std::string& name_space, const std::string& key, const std::string& value);

// Pods by each of their labels; a Service looks among those of the rarest pair of its selector.
class PodIndex {
public:
    void add(const Pod& pod);
    void remove(const Pod& pod);
    // Null: no Pod has all pairs. Never called with an empty selector, which selects nothing.
    const std::unordered_set<ObjectName>* candidates(const Service& service) const;

private:
    std::unordered_map<std::string, std::unordered_set<ObjectName>> pods_;
};

// Slices as the endpoint-slice controller would make them: one for each family and set of resolved ports. Pods are in
// name order.
std::vector<EndpointSlice> slices_from_pods(const Service& service, const std::vector<const Pod*>& pods);

}  // namespace weir::model
