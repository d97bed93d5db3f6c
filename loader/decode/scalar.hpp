// SPDX-License-Identifier: Apache-2.0
// Types of plain (unquoted) YAML scalars as Kubernetes' tools read them: YAML 1.1, so that `yes` is a boolean and
// `0x50` is a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "loader/decode/document.hpp"

namespace weir::decode {

Value::Kind resolve_plain(std::string_view text);

// The value of a scalar that resolved to an integer; none if it does not fit.
std::optional<std::int64_t> parse_integer(std::string_view text);

// The value of a scalar that resolved to a boolean.
bool parse_boolean(std::string_view text);

}  // namespace weir::decode
