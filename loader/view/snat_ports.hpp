// SPDX-License-Identifier: Apache-2.0
// The SNAT ports in use, as the last sweep has counted them (struct snat_usage).
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <vector>

#include "loader/net/local_ports.hpp"
#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::view {

// The place of a backend. Several ids may stand for one endpoint: of several Services, or one after the other.
struct SnatEndpoint {
    abi::address address{};
    std::uint16_t port_be = 0;
    std::uint8_t protocol = 0;
    std::strong_ordering operator<=>(const SnatEndpoint& other) const;
    bool operator==(const SnatEndpoint& other) const { return *this <=> other == 0; }
};
SnatEndpoint endpoint_of(const abi::backend& backend);

// The flows from one address of the node to one endpoint have the whole range of ports for themselves.
struct SnatPool {
    abi::address source{};
    SnatEndpoint endpoint;
    std::strong_ordering operator<=>(const SnatPool& other) const;
    bool operator==(const SnatPool& other) const { return *this <=> other == 0; }
};

struct SnatUse {
    SnatPool pool;
    // Ports that no other flow can have, and those that a new flow takes over if it finds no free one.
    std::uint32_t kept = 0, yielding = 0;
    std::uint32_t ports() const { return kept + yielding; }
};

using SnatRange = net::PortRange;

// From this share of the range on a pool is worth a warning; below the second one it has recovered.
inline constexpr unsigned snat_high_percent = 80;
inline constexpr unsigned snat_low_percent = 60;

// Reads the pools that keep at least so many ports, those first that have the most.
std::expected<std::vector<SnatUse>, std::string> read_snat_ports(const maps::SnatUsageMap& usage,
                                                                 const SnatRange& range, std::uint32_t at_least = 0);

// Returns the fullest pool of each endpoint (an endpoint that is reached from several addresses has several).
std::map<SnatEndpoint, SnatUse> fullest_pools(const std::vector<SnatUse>& uses);

}  // namespace weir::view
