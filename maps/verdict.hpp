// SPDX-License-Identifier: Apache-2.0
// The names of verdicts and hooks as people see them: in `weir status`, metrics and docs.
#pragma once

#include <string_view>

#include "maps/abi.h"

namespace weir::maps {

struct VerdictName {
    std::string_view name;     // stable: JSON key, metric label
    std::string_view meaning;  // one clause
};

VerdictName verdict_name(abi::verdict verdict);
std::string_view hook_name(abi::hook hook);  // stable too

}  // namespace weir::maps
