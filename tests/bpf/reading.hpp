// SPDX-License-Identifier: Apache-2.0
// What does a frame say, and is every checksum in it right? Shares no code with the builder: each checks the other.
#pragma once

#include <gtest/gtest.h>

#include <span>

#include "tests/bpf/packet.hpp"

namespace weir::test {

struct Reading {
    Mac destination_mac{}, source_mac{};
    Tuple tuple;
    std::uint8_t ttl = 0;
    std::uint8_t tcp_flags = 0;
    std::size_t l4_offset = 0;
    std::uint16_t l4_checksum = 0;
    Frame payload;
};

// Throws std::runtime_error where the frame is no complete TCP or UDP packet.
Reading read(std::span<const std::uint8_t> frame);

// Recomputes the IPv4 header checksum and the TCP or UDP checksum from scratch.
::testing::AssertionResult checksums_right(std::span<const std::uint8_t> frame);

// The same packet travelling back: addresses and ports exchanged, both Ethernet addresses too. Checksums stay right,
// since sums do not depend on order.
Frame turned_around(const Frame& frame);

// Equal but for what a router changes: Ethernet addresses, TTL, and the checksum over the TTL.
::testing::AssertionResult equal_but_for_routing(const Frame& a, const Frame& b);

}  // namespace weir::test
