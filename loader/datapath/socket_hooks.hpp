// SPDX-License-Identifier: Apache-2.0
// The socket hooks on a cgroup: attach, replace atomically, remove. Their links are pinned, so that processes of the
// node reach Services while no agent runs.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "loader/datapath/cgroup.hpp"
#include "loader/datapath/programs.hpp"
#include "maps/pins.hpp"

namespace weir::datapath {

// Attaches every hook, or replaces what an earlier agent attached there. Programs of others on the same cgroup stay.
std::expected<void, std::string> attach_socket_hooks(const maps::PinPaths& pins, const Programs& programs,
                                                     const Cgroup& cgroup);

// A hook that is not there is no mistake.
void remove_socket_hooks(const maps::PinPaths& pins);

bool is_socket_hook_pin(std::string_view file_name);

}  // namespace weir::datapath
