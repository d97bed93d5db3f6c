// SPDX-License-Identifier: Apache-2.0
// The file through which a running agent informs the command line: JSON, replaced atomically, in one run directory per
// pin path. The directory also has the lock that keeps a second agent off the same maps.
#pragma once

#include <boost/json.hpp>
#include <expected>
#include <string>

#include "maps/fd.hpp"
#include "maps/pins.hpp"

namespace weir::agent {

// Returns /run/weir/<the pin path with dashes>.
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
