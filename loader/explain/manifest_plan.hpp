// SPDX-License-Identifier: Apache-2.0
// The plan of a node from manifests alone, for the commands that need no agent and no kernel.
#pragma once

#include <expected>
#include <set>
#include <string>
#include <vector>

#include "loader/config/config.hpp"
#include "loader/model/cluster.hpp"
#include "loader/plan/plan.hpp"

namespace weir::explain {

struct ManifestPlan {
    model::Cluster cluster;
    std::vector<plan::ServicePlan> services;  // of all Services
    std::vector<model::Problem> problems;     // of the manifests and of the plan
    std::set<std::string> skipped;            // kinds that weir does not read
};

// Plans config.manifests for config.node. The error says why the manifests cannot be read at all.
std::expected<ManifestPlan, std::string> plan_manifests(const config::Config& config);

// Says on stderr what is wrong; whether something is in error.
bool print_problems(const std::vector<model::Problem>& problems);

}  // namespace weir::explain
