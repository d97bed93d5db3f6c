// SPDX-License-Identifier: Apache-2.0
// Addresses and tuples as the tests write them: one form for both families, as in maps/abi.h.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <ostream>
#include <stdexcept>
#include <string>

#include "maps/abi.h"

namespace weir::abi {
inline bool operator==(const address& a, const address& b) {
    return std::memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}
}  // namespace weir::abi

namespace weir::test {

inline abi::address address(const std::string& text) {
    abi::address result{};
    if (inet_pton(AF_INET6, text.c_str(), result.bytes) == 1) return result;
    result.bytes[10] = result.bytes[11] = 0xff;
    if (inet_pton(AF_INET, text.c_str(), result.bytes + 12) == 1) return result;
    throw std::invalid_argument("not an address: " + text);
}

inline bool is_ipv4(const abi::address& address) {
    static constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(address.bytes, prefix, sizeof(prefix)) == 0;
}

inline std::string to_string(const abi::address& address) {
    char text[INET6_ADDRSTRLEN];
    bool v4 = is_ipv4(address);
    return inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes + (v4 ? 12 : 0), text, sizeof(text));
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
