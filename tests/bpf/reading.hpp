// SPDX-License-Identifier: Apache-2.0
// Reads the fields of a frame and verifies its checksums. Shares no code with the builder: each checks the other.
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

// Throws std::runtime_error if the frame is no complete TCP, UDP or SCTP packet.
Reading read(std::span<const std::uint8_t> frame);

struct Message {
    Mac destination_mac{}, source_mac{};
    abi::address source{}, destination{};
    std::uint8_t ttl = 0;
    std::uint8_t type = 0, code = 0;
    std::uint32_t rest = 0;  // the second word of the header
    Frame body;              // of an error: the quoted packet, from the IP header on
};

// Throws std::runtime_error if the frame is no complete ICMP or ICMPv6 message.
Message read_icmp(std::span<const std::uint8_t> frame);

// Returns the tuple of the quoted packet, of which the ports are always quoted, or throws std::runtime_error.
Tuple quoted_tuple(const Message& message);

// Recomputes every checksum from scratch: IPv4 header, TCP, UDP, SCTP, ICMP, ICMPv6. Within ICMP errors it also checks
// the quoted IPv4 header, and the quoted TCP or UDP checksum if the error quotes the whole packet.
::testing::AssertionResult checksums_right(std::span<const std::uint8_t> frame);

// Returns the packet as if it travelled back: addresses, ports and Ethernet addresses are swapped. Checksums stay
// right, since sums do not depend on order.
Frame turned_around(const Frame& frame);

// Returns the datagram that the fragments form, as one frame without a fragment header. Throws std::runtime_error if
// they leave a gap or differ in their addresses, or if an IPv4 header checksum is wrong.
Frame reassembled(const std::vector<Frame>& fragments);

// Compares two frames except for the fields that a router changes: Ethernet addresses, TTL, and the checksum over it.
::testing::AssertionResult equal_but_for_routing(const Frame& a, const Frame& b);

}  // namespace weir::test
