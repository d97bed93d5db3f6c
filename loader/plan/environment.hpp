// SPDX-License-Identifier: Apache-2.0
// The environment variables that tell a container where Services are: the kubelet's rules, with the ClusterIPs of the
// plan.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loader/model/cluster.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

struct Variable {
    std::string name;
    std::string value;
    bool operator==(const Variable&) const = default;
};

// Of the Services with a ClusterIP in a pod's namespace, and of `kubernetes` in `default` where the namespace has none
// of that name; in name order, each variable once. plans: of all Services.
std::vector<Variable> service_environment(std::string_view name_space, const model::Cluster& cluster,
                                          const std::vector<ServicePlan>& plans);

}  // namespace weir::plan
