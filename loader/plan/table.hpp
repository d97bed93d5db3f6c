// SPDX-License-Identifier: Apache-2.0
// The backend ids in the slots of a range.
#pragma once

#include <cstdint>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// The Maglev table of a set, whose backends have these ids.
std::vector<std::uint32_t> id_table(const BackendSet& set, const std::vector<std::uint32_t>& ids);

// Tells tables apart without keeping them: at scale they are larger than the agent may be.
std::uint64_t hash_table(const std::vector<std::uint32_t>& table);

// The ids of a part of all backends; both sets are sorted, and all contains every backend of part.
std::vector<std::uint32_t> ids_of(const BackendSet& part, const BackendSet& all, const std::vector<std::uint32_t>& ids);

}  // namespace weir::plan
