// SPDX-License-Identifier: Apache-2.0
// Addresses and tuples for the tests, in one form for both families, as in maps/abi.h.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <ostream>
#include <stdexcept>
#include <string>

#include "loader/model/abi_address.hpp"
#include "maps/abi.h"

namespace weir::abi {
inline bool operator==(const address& a, const address& b) {
    return std::memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}
}  // namespace weir::abi

namespace weir::test {

inline abi::address address(const std::string& text) {
    if (auto parsed = model::Address::parse(text)) return model::abi_address(*parsed);
    throw std::invalid_argument("not an address: " + text);
}

inline bool is_ipv4(const abi::address& address) {
    return model::address_of(address).family() == model::Family::ipv4;
}

inline std::string to_string(const abi::address& address) {
    return model::address_of(address).to_string();
}

struct Endpoint {
    abi::address address{};
    std::uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
};

inline std::string to_string(const Endpoint& endpoint) {
    return "[" + to_string(endpoint.address) + "]:" + std::to_string(endpoint.port);
}

// One direction of a connection as seen on the wire.
struct Tuple {
    Endpoint source, destination;
    std::uint8_t protocol = 0;
    bool operator==(const Tuple&) const = default;
    Tuple reversed() const { return {destination, source, protocol}; }
};

// GoogleTest prints values through these.
inline void PrintTo(const Endpoint& endpoint, std::ostream* out) {
    *out << to_string(endpoint);
}
inline void PrintTo(const Tuple& tuple, std::ostream* out) {
    *out << to_string(tuple.source) << " -> " << to_string(tuple.destination) << " protocol "
         << static_cast<int>(tuple.protocol);
}
}  // namespace weir::test
