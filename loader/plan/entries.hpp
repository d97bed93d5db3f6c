// SPDX-License-Identifier: Apache-2.0
// Computes the fields of map entries that are more than a copy from the plan.
#pragma once

#include <cstdint>
#include <cstring>

#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::plan {

std::uint8_t flags_of(const ServicePortPlan& plan, const Frontend& frontend);  // abi::frontend_flags
std::uint32_t affinity_ticks(const ServicePortPlan& plan);
// The backend flag by which the datapath knows the backends of this scope; 0 without affinity.
std::uint8_t members_of(const ServicePortPlan& plan, const Scope& scope);

abi::source_range_key source_range_key(const model::Cidr& range, std::uint32_t service_id);

struct SourceRangeLess {
    bool operator()(const abi::source_range_key& a, const abi::source_range_key& b) const {
        return std::memcmp(&a, &b, sizeof(a)) < 0;
    }
};

}  // namespace weir::plan
