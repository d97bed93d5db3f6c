// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/problems.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace weir::agent {

void Problems::note(Area area, std::vector<model::Problem> problems, const std::string& name) {
    auto known = in_force_.find({area, name});
    std::set<std::string> logged;
    if (known != in_force_.end())
        for (const auto& before : known->second) logged.insert(before.to_string());
    for (const auto& problem : problems) {
        auto text = problem.to_string();
        if (!logged.insert(text).second) continue;
        spdlog::log(problem.severity == model::Severity::error ? spdlog::level::err : spdlog::level::warn, "{}", text);
    }
    if (!problems.empty())
        in_force_.insert_or_assign({area, name}, std::move(problems));
    else if (known != in_force_.end())
        in_force_.erase(known);
}

std::vector<model::Problem> Problems::in_force() const {
    std::vector<model::Problem> all;
    for (const auto& [key, problems] : in_force_) all.insert(all.end(), problems.begin(), problems.end());
    return all;
}

model::Problem problem(model::Severity severity, std::string what) {
    model::Problem problem{};
    problem.severity = severity;
    problem.what = std::move(what);
    return problem;
}

boost::json::array to_json(const std::vector<model::Problem>& problems) {
    boost::json::array out;
    for (const auto& problem : problems)
        out.push_back({{"severity", problem.severity == model::Severity::error ? "error" : "warning"},
                       {"message", problem.to_string()}});
    return out;
}

}  // namespace weir::agent
