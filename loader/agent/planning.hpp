// SPDX-License-Identifier: Apache-2.0
// From objects to service plans: the objects in force, what they come to, and which plans are held back for now.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "loader/agent/adoption.hpp"
#include "loader/model/cluster.hpp"
#include "loader/plan/planner.hpp"

namespace weir::agent {

class Planning {
public:
    // is_served: whether the maps hold anything of a Service.
    Planning(plan::NodeContext node, std::function<bool(const model::ObjectName&)> is_served);

    void apply(model::Change change) { cluster_.apply(std::move(change)); }
    // Everything is planned again.
    void set_node(plan::NodeContext node);
    // Takes over what the maps of an earlier agent hold.
    void adopt(const plan::MapContents& contents);
    // The source has been read through. is_synced: it could tell everything that exists.
    void source_read(bool is_synced);
    // Whether source_read() was called: before that no plan is of everything.
    bool is_read() const { return is_read_; }

    // The plans that have changed and those of the Services that wait for room in the maps, without those that are
    // held back.
    std::vector<plan::ServicePlan> take(const std::vector<model::ObjectName>& waiting);

    Adoption& adoption() { return adoption_; }
    const Adoption& adoption() const { return adoption_; }
    const model::Cluster& cluster() const { return cluster_; }
    // Services that weir does not balance, and why.
    const std::map<model::ObjectName, plan::ServiceState>& not_balanced() const { return not_balanced_; }

private:
    model::Cluster cluster_;
    plan::Planner planner_;
    Adoption adoption_;
    std::function<bool(const model::ObjectName&)> is_served_;
    std::map<model::ObjectName, plan::ServiceState> not_balanced_;
    bool is_read_ = false;
};

}  // namespace weir::agent
