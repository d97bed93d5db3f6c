// SPDX-License-Identifier: Apache-2.0
// The names of verdicts as people see them: in `weir status`, metrics and docs.
#pragma once

#include <string_view>

#include "maps/abi.h"

namespace weir::maps {

struct VerdictName {
    std::string_view name;     // stable: JSON key, metric label
    std::string_view meaning;  // one clause
};

VerdictName verdict_name(abi::verdict verdict);
inline bool is_drop(abi::verdict verdict) {
    return verdict >= abi::VERDICT_FIRST_DROP;
}

}  // namespace weir::maps
