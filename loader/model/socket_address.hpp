// SPDX-License-Identifier: Apache-2.0
// An address and a port, as people write them: "10.0.0.1:80", "[fd00::1]:80".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "loader/model/address.hpp"

namespace weir::model {

struct SocketAddress {
    Address address;
    std::uint16_t port = 0;  // host order

    // IPv6 addresses in brackets only: without them the port cannot be told from the address (RFC 3986 3.2.2).
    static std::optional<SocketAddress> parse(std::string_view text);
    std::string to_string() const { return model::to_string(address, port); }

    auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace weir::model
