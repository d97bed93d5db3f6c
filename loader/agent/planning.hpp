// SPDX-License-Identifier: Apache-2.0
// The way from objects to service plans: the objects in force, their plans, and the plans held back for now.
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
    // is_served: returns whether the maps have entries of a Service.
    Planning(plan::NodeContext node, std::function<bool(const model::ObjectName&)> is_served);

    void apply(model::Change change) { cluster_.apply(std::move(change)); }
    // Has everything planned again.
    void set_node(plan::NodeContext node);
    // Takes over the content of an earlier agent's maps.
    void adopt(const plan::MapContents& contents);
    // Notes that the source has been read completely. is_synced: it could report every object.
    void source_read(bool is_synced);
    // Whether source_read() was called. Before that, the plans do not cover everything.
    bool is_read() const { return is_read_; }

    // Returns the plans that have changed and those of the Services that wait for room in the maps, but not those held
    // back.
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
