// SPDX-License-Identifier: Apache-2.0
// The backend ids in the slots of a range.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// The lines that a range of so many slots takes.
std::uint32_t lines_of(std::uint32_t slots);

// The Maglev table of a set in a range, not built yet: built it is a hundred times as large.
struct SlotTable {
    abi::slot_range range;
    BackendSet set;
    std::vector<std::uint32_t> ids;  // of these
};

// Builds the table in the lines of its range; slots of the last line that are not of the range become 0.
void write_lines(const SlotTable& table, std::span<abi::slot_line> lines);

// The Maglev table of a set, whose backends have these ids.
std::vector<std::uint32_t> id_table(const BackendSet& set, const std::vector<std::uint32_t>& ids);

// Tells tables apart without keeping them: at scale they are larger than the agent may be.
std::uint64_t hash_table(const std::vector<std::uint32_t>& table);

// The ids of a part of all backends; both sets are sorted, and all contains every backend of part.
std::vector<std::uint32_t> ids_of(const BackendSet& part, const BackendSet& all, const std::vector<std::uint32_t>& ids);

}  // namespace weir::plan
