// SPDX-License-Identifier: Apache-2.0
// A node on paper: its plan in private maps, its routes in a private network namespace, the real programs between them.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "loader/cli/explanation.hpp"
#include "loader/datapath/sandbox.hpp"
#include "loader/datapath/trial.hpp"
#include "loader/model/cluster.hpp"
#include "loader/plan/plan.hpp"

namespace weir::cli {

// Endpoints of the cluster's Services on this node; addresses of the node itself left out.
std::vector<model::Address> local_endpoints(const model::Cluster& cluster, const plan::NodeContext& node);

class Rehearsal {
public:
    // Moves the calling thread into a network namespace of its own. workloads: addresses of pods on this node, beyond
    // those of local_endpoints().
    static std::expected<Rehearsal, std::string> prepare(const datapath::Settings& settings,
                                                         const plan::NodeContext& node, model::Cluster& cluster,
                                                         std::vector<model::Address> workloads);

    std::expected<Explanation, std::string> ask(const datapath::Tuple& tuple, Via via);
    // What earlier questions left behind: flows, and clients' backends.
    void forget() { trial_.forget(); }

    // Of the plan: what cannot be served as asked.
    const std::vector<model::Problem>& problems() const { return problems_; }

private:
    Rehearsal(datapath::Trial trial, const datapath::SandboxDevices& devices, std::vector<model::Problem> problems)
        : trial_(std::move(trial)), devices_(devices), problems_(std::move(problems)) {}

    datapath::Trial trial_;
    datapath::SandboxDevices devices_;
    std::vector<model::Problem> problems_;
};

}  // namespace weir::cli
