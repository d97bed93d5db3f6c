// SPDX-License-Identifier: Apache-2.0
// Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): fills a slot range from a set of backends.
#pragma once

#include <cstdint>
#include <vector>

#include "loader/plan/plan.hpp"

namespace weir::plan {

// Table length for n backends: 0 for none, 1 for one, else the smallest prime >= 100 m, at most 131071 (a prime), where
// m is n rounded up to a power of two. Tables of different lengths have nothing in common, so the length must not
// follow every single backend: within a step, a backend that leaves moves few connections but its own.
std::uint32_t maglev_size(std::size_t backends);

// For each slot the index of its backend in the (sorted) set. Depends on the addresses and ports only.
std::vector<std::uint32_t> maglev_table(const BackendSet& backends);

}  // namespace weir::plan
