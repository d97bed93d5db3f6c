// SPDX-License-Identifier: Apache-2.0
// The order in which changes are written to maps, in the kernel or in memory.
#pragma once

#include <span>
#include <string_view>

#include "loader/apply/map_writer.hpp"

namespace weir::apply {

struct Step {
    std::string_view name;  // as in docs/concepts.md, "Write order"
    Written (*write)(MapWriter& writer, const plan::MapChanges& changes);
};

// Returns the steps in their order. A packet finds a valid state between any two of them, and within each.
std::span<const Step> write_order();

// Writes the changes step by step. After a failure the rest is not written; writing the same changes again is safe.
Written write(MapWriter& writer, const plan::MapChanges& changes);

}  // namespace weir::apply
