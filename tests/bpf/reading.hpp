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
    std::uint32_t sequence = 0, acknowledgement = 0;  // TCP
    std::size_t l4_offset = 0;
    std::uint16_t l4_checksum = 0;
    Frame payload;
};

// Throws std::runtime_error where the frame is no complete TCP, UDP or SCTP packet.
Reading read(std::span<const std::uint8_t> frame);

struct Message {
    Mac destination_mac{}, source_mac{};
    abi::address source{}, destination{};
    std::uint8_t ttl = 0;
    std::uint8_t type = 0, code = 0;
    std::uint32_t rest = 0;  // the second word of the header
    Frame body;              // of an error: the packet that it quotes, from the IP header on
};

// Throws std::runtime_error where the frame is no complete ICMP or ICMPv6 message.
Message read_icmp(std::span<const std::uint8_t> frame);

// The tuple of a quoted packet; its ports are there if anything of it is.
Tuple quoted_tuple(const Message& message);

// Recomputes every checksum from scratch: IPv4 header, TCP, UDP, SCTP, ICMP, ICMPv6; within ICMP errors those of the
// quoted packet too, of its transport header (but for SCTP) where it is quoted whole.
::testing::AssertionResult checksums_right(std::span<const std::uint8_t> frame);

// The same packet travelling back: addresses and ports exchanged, both Ethernet addresses too. Checksums stay right,
// since sums do not depend on order.
Frame turned_around(const Frame& frame);

// The datagram that the fragments make together, as one frame without a fragment header; throws std::runtime_error
// where they leave a gap, differ in their addresses, or an IPv4 header checksum is wrong.
Frame reassembled(const std::vector<Frame>& fragments);

// Equal but for what a router changes: Ethernet addresses, TTL, and the checksum over the TTL.
::testing::AssertionResult equal_but_for_routing(const Frame& a, const Frame& b);

}  // namespace weir::test
