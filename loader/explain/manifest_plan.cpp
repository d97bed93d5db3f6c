// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/manifest_plan.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "loader/config/node_context.hpp"
#include "loader/plan/planner.hpp"
#include "loader/source/manifests/manifests.hpp"

namespace weir::explain {

std::expected<ManifestPlan, std::string> plan_manifests(const config::Config& config) {
    auto read = source::read_manifests(config.manifests);
    if (!read) return std::unexpected(read.error());
    ManifestPlan out;
    for (auto& object : read->objects) out.cluster.apply(model::Upsert{std::move(object)});

    plan::Planner planner(config::node_context(config, out.cluster));
    out.services = planner.plan(out.cluster, out.cluster.take_dirty());
    out.problems = std::move(read->problems);
    for (const auto& service : out.services)
        out.problems.insert(out.problems.end(), service.problems.begin(), service.problems.end());
    out.skipped = std::move(read->skipped);
    return out;
}

bool print_problems(const std::vector<model::Problem>& problems) {
    bool failed = false;
    for (const auto& problem : problems) {
        bool error = problem.severity == model::Severity::error;
        failed = failed || error;
        fmt::print(stderr, "{}: {}\n", error ? "error" : "warning", problem.to_string());
    }
    return failed;
}

}  // namespace weir::explain
