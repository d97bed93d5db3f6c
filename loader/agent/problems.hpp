// SPDX-License-Identifier: Apache-2.0
// The problems in force, by the part that has them. Each is logged once, when it appears; `weir status` shows them as
// long as they last.
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
    // In the order in which people see them.
    enum class Area { source, service, health };

    // These and no others are in force there now. name: of the Service. Logs those that were not in force before.
    void note(Area area, std::vector<model::Problem> problems, const std::string& name = {});

    // Answers true for the first call with this key: for what is logged once in the agent's life.
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

// A problem of the agent itself, of no object and no file.
model::Problem problem(model::Severity severity, std::string what);

boost::json::array to_json(const std::vector<model::Problem>& problems);

}  // namespace weir::agent
