// SPDX-License-Identifier: Apache-2.0
// What an agent takes over from the one before it.
#pragma once

#include <vector>

#include "loader/plan/map_changes.hpp"
#include "loader/plan/planner.hpp"

namespace weir::agent {

// The frontends in the maps, by service port: what Planner::adopt wants.
std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents);

}  // namespace weir::agent
