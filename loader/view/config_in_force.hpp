// SPDX-License-Identifier: Apache-2.0
// With which configuration do the programs run that use certain maps? It is fixed in their .rodata; the configuration
// file may have changed since.
#pragma once

#include <optional>

#include "maps/abi.h"

namespace weir::view {

// map_fd: a map that only those programs use. None: no such program is loaded, or it is another version's.
std::optional<abi::datapath_config> config_in_force(int map_fd);

}  // namespace weir::view
