// SPDX-License-Identifier: Apache-2.0
// `weir check`: what this kernel and host offer and lack, and what to do about it.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "loader/cli/check_host.hpp"
#include "loader/cli/table.hpp"
#include "loader/config/config.hpp"

namespace weir::cli {

struct Finding {
    enum class State {
        ok,
        note,     // weir runs, but worse than it could, or something is worth knowing
        missing,  // weir cannot run
    };

    std::string name;  // what was looked at; stable, for programs
    State state = State::ok;
    std::string detail;  // what was found
    std::string remedy;  // what to do about it; empty if nothing needs to be done

    bool operator==(const Finding&) const = default;
};

// In a fixed order; one finding or more of each name.
std::vector<Finding> judge(const HostFacts& facts, const config::Config& config);

bool can_run(const std::vector<Finding>& findings);
std::string check_table(const std::vector<Finding>& findings);
// Lists how much memory each map takes when it is full, and all of them together.
std::string map_table(const std::vector<datapath::MapSize>& maps);
boost::json::object check_json(const std::vector<Finding>& findings, const std::vector<datapath::MapSize>& maps);

// Prints both; 1 if weir cannot run here.
int run_check(const config::Config& config, OutputFormat format);

}  // namespace weir::cli
