// SPDX-License-Identifier: Apache-2.0
// The names that people see for what maps and plans hold.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loader/model/address.hpp"
#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::view {

std::string_view protocol_name(std::uint8_t protocol);
std::string_view kind_name(std::uint8_t kind);          // "ClusterIP", ...
std::string_view action_name(std::uint8_t action);      // "balance", "reject", "drop", "closed"
std::string_view state_name(plan::ServiceState state);  // "headless", ...
std::string service_text(const abi::service_name& name);

// A list in a cell or a sentence: the first few items, and how many more there are.
std::string shortened(const std::vector<std::string>& items, std::size_t most = 3);

}  // namespace weir::view
