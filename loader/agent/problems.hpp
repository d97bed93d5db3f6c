// SPDX-License-Identifier: Apache-2.0
// The problems in force, by the part of the agent that reports them. Each is logged once, when it appears; `weir
// status` shows it as long as it lasts.
#pragma once

#include <boost/json.hpp>
#include <compare>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/model/objects.hpp"

namespace weir::agent {

class Problems {
public:
    // In the order in which `weir status` shows them.
    enum class Area { source, service, health };

    // Replaces the problems of an area, or of the Service `name` within it. Logs those that were not in force before.
    void note(Area area, std::vector<model::Problem> problems, const std::string& name = {});

    // Returns true for the first call with this key: for messages to be logged once in the agent's life.
    bool is_news(const std::string& key) { return told_.insert(key).second; }

    std::vector<model::Problem> in_force() const;

private:
    struct Key {
        Area area;
        std::string name;
        auto operator<=>(const Key&) const = default;
    };
    std::map<Key, std::vector<model::Problem>> in_force_;
    std::set<std::string> told_;
};

// Returns a problem of the agent itself, one that belongs to no object or file.
model::Problem problem(model::Severity severity, std::string what);

boost::json::array to_json(const std::vector<model::Problem>& problems);

}  // namespace weir::agent
