// SPDX-License-Identifier: Apache-2.0
#include "loader/model/socket_address.hpp"

#include <charconv>

namespace weir::model {

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    auto digits = text.substr(colon + 1);
    bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    // Colons are what the brackets are for.
    if (bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
    auto address = Address::parse(host);
    std::uint16_t port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return SocketAddress{.address = *address, .port = port};
}

}  // namespace weir::model
