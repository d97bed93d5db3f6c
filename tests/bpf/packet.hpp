// SPDX-License-Identifier: Apache-2.0
// Builds a packet in one expression: Packet::tcp(client, vip, syn).ttl(3).payload("x").frame().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bpf/address.hpp"

namespace weir::test {

using Frame = std::vector<std::uint8_t>;
using Mac = std::array<std::uint8_t, 6>;

enum TcpFlags : std::uint8_t { fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10 };

inline constexpr Mac default_source_mac = {0x02, 0, 0, 0, 0xaa, 1};
inline constexpr Mac default_destination_mac = {0x02, 0, 0, 0, 0xaa, 2};

class Packet {
public:
    static Packet tcp(Endpoint from, Endpoint to, int flags = ack);
    static Packet udp(Endpoint from, Endpoint to);
    static Packet sctp(Endpoint from, Endpoint to);
    // Builds a TCP segment with these flags, an SCTP packet or a UDP datagram, by the tuple's protocol; other protocols
    // get ports too.
    static Packet of(const Tuple& tuple, int flags = ack);
    // Builds an ICMP or ICMPv6 message, by the family; rest: the second word of its header.
    static Packet icmp(const abi::address& from, const abi::address& to, int type, int code = 0,
                       std::uint32_t rest = 0);

    Packet& ttl(std::uint8_t value);
    Packet& payload(std::string_view text);
    Packet& payload(std::size_t octets);
    Packet& payload(Frame octets);
    Packet& numbers(std::uint32_t sequence, std::uint32_t acknowledgement);  // TCP
    Packet& ipv4_options(std::size_t words);
    // IPv6: one extension header of 8 * units octets, its body PadN where the type has options.
    Packet& extension(std::uint8_t type, std::size_t units = 1);
    // IPv4 fragment, offset in 8 octets.
    Packet& fragment(std::uint16_t offset, bool more);
    Packet& without_checksum();           // UDP over IPv4, RFC 768
    Packet& trailer(std::size_t octets);  // Ethernet padding behind the IP packet

    Frame frame() const;

private:
    std::size_t l4_offset() const;
    std::size_t l4_header() const;
    void write_ipv4(Frame& frame, std::size_t l4_length) const;
    void write_ipv6(Frame& frame, std::size_t l4_length) const;
    void write_l4(Frame& frame) const;

    Tuple tuple_;
    std::uint8_t flags_ = 0, ttl_ = 64;
    bool message_ = false;  // made by icmp(), with a type in place of ports
    std::uint8_t type_ = 0, code_ = 0;
    std::uint32_t rest_ = 0, sequence_ = 0x11110000, acknowledgement_ = 0x11110001;  // fits a SYN-ACK of the same kind
    std::vector<std::uint8_t> payload_;
    std::size_t option_words_ = 0, trailer_ = 0;
    std::vector<std::pair<std::uint8_t, std::size_t>> extensions_;
    std::uint16_t fragment_bits_ = 0;
    bool checksum_ = true;
};

// Returns the part of a frame that an ICMP error quotes: the IP header and at most l4_octets of what follows it.
Frame quotation(const Frame& frame, std::size_t l4_octets);

// Cuts the frame into fragments of this many octets (a multiple of 8) each. For IPv6 it cuts behind the fixed header
// and `extensions` octets of extension headers, which stay in front of each fragment header.
std::vector<Frame> cut(const Frame& frame, std::size_t octets, std::uint32_t id, std::size_t extensions = 0);

}  // namespace weir::test
