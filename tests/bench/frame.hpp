// SPDX-License-Identifier: Apache-2.0
// The frame that the generator varies: headers, and the checksum parts that all frames share.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loader/model/address.hpp"

namespace weir::bench {

using Mac = std::array<std::uint8_t, 6>;

// "02:00:00:00:00:01"; throws std::invalid_argument.
Mac parse_mac(const std::string& text);

// value = first + index % count
struct Range {
    std::uint32_t first = 0;
    std::uint32_t count = 1;
    // "80" or "1024-65535"
    static Range ports(const std::string& text);
};

// Addresses with one prefix that differ in their last 32 bits.
struct Addresses {
    model::Address base;
    Range last_word;
    // "192.0.2.1" or "198.18.0.0/15" or "2001:db8::/96"; of a longer range, the first 2^32.
    static Addresses parse(const std::string& text);
};

struct FrameOptions {
    Mac source_mac{}, destination_mac{};
    Addresses source, destination;
    Range source_ports{1024, 64512}, destination_ports{80, 1};
    model::Protocol protocol = model::Protocol::udp;
    std::uint8_t tcp_flags = 0x02;
    std::size_t size = 80;  // without the frame check sequence
};

struct Frame {
    std::vector<std::uint8_t> bytes;
    struct {
        std::uint32_t source, destination, ports, ip_checksum, checksum;
    } at{};  // ip_checksum: 0 in IPv6
    std::uint32_t ip_sum = 0, sum = 0;
};

// The shortest frame that the generator's template fits into.
constexpr std::size_t smallest_frame = 80, largest_frame = 1514;

Frame make_frame(const FrameOptions& options);

}  // namespace weir::bench
