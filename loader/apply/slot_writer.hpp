// SPDX-License-Identifier: Apache-2.0
// Builds the tables of the map `slots` directly where they are written: all of them at once would take more memory than
// the rest of the agent.
#pragma once

#include <span>
#include <system_error>

#include "loader/plan/map_changes.hpp"
#include "maps/pins.hpp"

namespace weir::apply {

std::error_code write_tables(maps::SlotMap& map, std::span<const plan::SlotTable> tables);

}  // namespace weir::apply
