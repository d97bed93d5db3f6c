// SPDX-License-Identifier: Apache-2.0
// A node on paper: its plan in private maps, its routes in a private network namespace, the real programs between them.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "loader/explain/explanation.hpp"
#include "loader/explain/sandbox.hpp"
#include "loader/explain/trial.hpp"
#include "loader/model/cluster.hpp"
#include "loader/plan/plan.hpp"

namespace weir::explain {

// Endpoints of the cluster's Services on this node; addresses of the node itself left out.
std::vector<model::Address> local_endpoints(const model::Cluster& cluster, const plan::NodeContext& node);

class Rehearsal {
public:
    // Moves the calling thread into a network namespace of its own. workloads: addresses of pods on this node, beyond
    // those of local_endpoints().
    static std::expected<Rehearsal, std::string> prepare(const datapath::Settings& settings,
                                                         const plan::NodeContext& node, model::Cluster& cluster,
                                                         std::vector<model::Address> workloads);

    std::expected<Explanation, std::string> ask(const view::Tuple& tuple, Via via);
    // Drops the traces of earlier questions: flows, and clients' backends.
    void forget() { trial_.forget(); }

    // Returns the problems of the plan: parts that cannot be served as asked.
    const std::vector<model::Problem>& problems() const { return problems_; }

private:
    Rehearsal(explain::Trial trial, const explain::SandboxDevices& devices, std::vector<model::Problem> problems)
        : trial_(std::move(trial)), devices_(devices), problems_(std::move(problems)) {}

    explain::Trial trial_;
    explain::SandboxDevices devices_;
    std::vector<model::Problem> problems_;
};

}  // namespace weir::explain
