// SPDX-License-Identifier: Apache-2.0
// An address as the maps hold it, and back. The only place that converts.
#pragma once

#include <algorithm>

#include "loader/model/address.hpp"
#include "maps/abi.h"

namespace weir::model {

inline abi::address abi_address(const Address& address) {
    abi::address out{};
    std::ranges::copy(address.bytes, out.bytes);
    return out;
}

// Returns the 16-byte form of an IPv4 address as flow4_key and flow4 hold it.
inline abi::address abi_address(std::uint32_t ipv4_be) {
    return abi_address(Address::from_ipv4_be(ipv4_be));
}

inline Address address_of(const abi::address& address) {
    Address out;
    std::ranges::copy(address.bytes, out.bytes.begin());
    return out;
}

}  // namespace weir::model
