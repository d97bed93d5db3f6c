// SPDX-License-Identifier: Apache-2.0
// Reads the question that the arguments of `weir explain` ask.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "loader/explain/explanation.hpp"

namespace weir::cli {

// The source port if the user names none. A fixed one, so that the same question gets the same answer.
inline constexpr std::uint16_t default_source_port = 40000;

// SRC[:PORT] and DST:PORT[/tcp|udp|sctp]; IPv6 addresses with ports as [addr]:port. The error is a sentence for a
// person.
std::expected<view::Tuple, std::string> parse_question(std::string_view source, std::string_view destination);

std::optional<explain::Via> parse_via(std::string_view text);

}  // namespace weir::cli
