// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/planning.hpp"

#include <utility>

namespace weir::agent {

Planning::Planning(plan::NodeContext node, std::function<bool(const model::ObjectName&)> is_served)
    : planner_(std::move(node)), is_served_(std::move(is_served)) {}

void Planning::set_node(plan::NodeContext node) {
    planner_.set_node(std::move(node));
    cluster_.mark_all_dirty();
}

void Planning::adopt(const plan::MapContents& contents) {
    planner_.adopt(held_frontends(contents));
    adoption_.adopted();
}

void Planning::source_read(bool is_synced) {
    is_read_ = true;
    for (const auto& name : adoption_.source_read(is_synced)) cluster_.mark_dirty(name);
    planner_.keep_adopted(adoption_.keeps_allocations());
}

std::vector<plan::ServicePlan> Planning::take(const std::vector<model::ObjectName>& waiting) {
    auto dirty = cluster_.take_dirty();
    dirty.insert(dirty.end(), waiting.begin(), waiting.end());
    auto plans = planner_.plan(cluster_, dirty);
    std::erase_if(plans, [&](const auto& plan) {
        return adoption_.is_held() && adoption_.holds_back(plan, is_served_(plan.service));
    });
    for (const auto& plan : plans) {
        if (plan.state == plan::ServiceState::planned)
            not_balanced_.erase(plan.service);
        else
            not_balanced_.insert_or_assign(plan.service, plan.state);
    }
    return plans;
}

}  // namespace weir::agent
