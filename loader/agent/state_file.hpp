// SPDX-License-Identifier: Apache-2.0
// What a running agent tells the command line: a JSON file, replaced atomically, in a run directory of its own per pin
// path. It also holds the lock that keeps a second agent off the same maps.
#pragma once

#include <boost/json.hpp>
#include <expected>
#include <string>

#include "maps/fd.hpp"
#include "maps/pins.hpp"

namespace weir::agent {

// /run/weir/<the pin path with dashes>
std::string run_directory(const maps::PinPaths& pins);

class StateFile {
public:
    // Makes the directory and takes the lock; fails if another agent holds it, naming its process.
    static std::expected<StateFile, std::string> create(const maps::PinPaths& pins);
    std::expected<void, std::string> write(const boost::json::object& state) const;

private:
    StateFile(std::string directory, maps::Fd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
    std::string directory_;
    maps::Fd lock_;
};

struct AgentState {
    bool running = false;         // the lock is held
    boost::json::object content;  // empty: no agent has ever run with these pins
};
AgentState read_state(const maps::PinPaths& pins);

}  // namespace weir::agent
