// SPDX-License-Identifier: Apache-2.0
// What `weir explain` is asked, in the words of its arguments.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "loader/explain/explanation.hpp"

namespace weir::cli {

// Of a client whose port nobody named: any will do, and the same one makes the same choice again.
inline constexpr std::uint16_t default_source_port = 40000;

// SRC[:PORT] and DST:PORT[/tcp|udp|sctp]; IPv6 addresses with ports as [addr]:port. The error is a sentence for a
// person.
std::expected<view::Tuple, std::string> parse_question(std::string_view source, std::string_view destination);

std::optional<explain::Via> parse_via(std::string_view text);

}  // namespace weir::cli
