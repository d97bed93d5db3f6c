// SPDX-License-Identifier: Apache-2.0
// A restart with other sizes: which maps can be made anew, and what of the old ones goes along.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

#include "maps/fd.hpp"

namespace weir::datapath {

using MapFds = std::map<std::string, maps::Fd, std::less<>>;

// Returns how many entries a map that a restart resizes (maps::Restart) needs for its present content.
std::expected<std::uint64_t, std::error_code> entries_needed(std::string_view name, const MapFds& fds);

// Copies everything that a map of this name holds into a new one that has entries_needed().
std::error_code carry_over(std::string_view name, const maps::Fd& from, const maps::Fd& to);

}  // namespace weir::datapath
