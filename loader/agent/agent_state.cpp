// SPDX-License-Identifier: Apache-2.0
// What the agent tells the command line: interfaces, problems in force, what is not balanced and why.
#include "loader/agent/agent.hpp"
#include "loader/view/names.hpp"

namespace weir::agent {

boost::json::object Agent::state() const {
    boost::json::array interfaces;
    for (const auto& [ifindex, attached] : attached_)
        interfaces.push_back({{"name", attached.name},
                              {"role", attached.uplink ? "uplink" : "workload"},
                              {"tc", attached.tc},
                              {"xdp", attached.xdp.empty() ? "off" : attached.xdp}});
    boost::json::array problems;
    auto add = [&](const model::Problem& problem) {
        problems.push_back({{"severity", problem.severity == model::Severity::error ? "error" : "warning"},
                            {"message", problem.to_string()}});
    };
    for (const auto& problem : source_problems_) add(problem);
    for (const auto& [service, list] : plan_problems_)
        for (const auto& problem : list) add(problem);
    for (const auto& problem : snat_watch_.problems()) add(problem);
    for (const auto& [ifindex, failure] : attach_failures_)
        problems.push_back({{"severity", "error"}, {"message", failure}});
    for (const auto& refused : net::refused_uplinks(links_, default_routes_, config_.interfaces))
        problems.push_back({{"severity", "warning"}, {"message", refused.name + " is left out: " + refused.reason}});
    for (const auto& size : programs_.unapplied()) problems.push_back({{"severity", "warning"}, {"message", size}});
    if (!socket_problem_.empty()) problems.push_back({{"severity", "warning"}, {"message", socket_problem_}});
    for (const auto& name : net::missing_uplinks(links_, config_.interfaces))
        problems.push_back(
            {{"severity", "error"}, {"message", name + ": no such interface; it is attached when it appears"}});
    if (!write_failure_.empty()) problems.push_back({{"severity", "error"}, {"message", write_failure_}});
    boost::json::array others;
    for (const auto& [name, why] : not_planned_)
        others.push_back({{"name", name.to_string()}, {"state", view::state_name(why)}});
    return {{"ready", ready_},
            {"held", held_},
            {"programmed", programmed_},
            {"node", config_.node},
            {"source", config_.manifests},
            {"services", cluster_.services().size()},
            {"pods", cluster_.pod_count()},
            {"endpoints", cluster_.endpoint_count()},
            {"interfaces", interfaces},
            {"socketHooks", socket_cgroup_.empty() ? boost::json::value(nullptr) : boost::json::value(socket_cgroup_)},
            {"problems", problems},
            {"notBalanced", others}};
}

}  // namespace weir::agent
