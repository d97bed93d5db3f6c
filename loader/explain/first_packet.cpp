// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/first_packet.hpp"

#include <linux/if_ether.h>

#include <algorithm>

namespace weir::explain {

namespace {

using model::Address;
using model::Family;
using model::Protocol;

constexpr std::size_t ipv4_header = 20, ipv6_header = 40;
constexpr std::uint8_t tcp_syn = 0x02;

void put16(Frame& frame, std::size_t at, std::size_t value) {
    frame.at(at) = static_cast<std::uint8_t>(value >> 8);
    frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

std::uint16_t get16(std::span<const std::uint8_t> frame, std::size_t at) {
    return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

// RFC 1071, of an even number of octets.
std::uint16_t internet_checksum(std::span<const std::uint8_t> octets, std::uint64_t sum) {
    for (std::size_t i = 0; i < octets.size(); i += 2) sum += get16(octets, i);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// RFC 9260, appendix A: reflected, and written least significant octet first.
std::uint32_t crc32c(std::span<const std::uint8_t> octets) {
    std::uint32_t crc = 0xffffffff;
    for (auto octet : octets) {
        crc ^= octet;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

Frame tcp_segment() {
    Frame l4(20);
    put16(l4, 6, 0x1111);  // sequence number
    l4[12] = 0x50;
    l4[13] = tcp_syn;
    put16(l4, 14, 0xfaf0);  // window
    return l4;
}

Frame udp_datagram() {
    Frame l4(8);
    put16(l4, 4, l4.size());
    return l4;
}

Frame sctp_packet() {
    Frame l4(32);
    l4[12] = 1;             // INIT (RFC 9260, 3.3.2)
    put16(l4, 14, 20);      // its length
    put16(l4, 18, 0x1111);  // initiate tag
    put16(l4, 20, 1);       // window: 65536
    put16(l4, 24, 1);       // outbound streams
    put16(l4, 26, 1);       // inbound streams
    put16(l4, 30, 0x1111);  // initial TSN
    return l4;
}

void sum_up(Frame& l4, const view::Tuple& tuple) {
    if (tuple.protocol == Protocol::sctp) {
        auto crc = crc32c(l4);
        for (std::size_t i = 0; i < 4; ++i) l4.at(8 + i) = static_cast<std::uint8_t>(crc >> 8 * i);
        return;
    }
    // The prefix of a mapped IPv4 address adds nothing: 0xffff is zero in one's complement.
    std::uint64_t pseudo = static_cast<std::uint64_t>(tuple.protocol) + l4.size();
    for (const auto* address : {&tuple.source, &tuple.destination})
        for (std::size_t i = 0; i < address->bytes.size(); i += 2) pseudo += get16(address->bytes, i);
    auto sum = internet_checksum(l4, pseudo);
    bool udp = tuple.protocol == Protocol::udp;
    put16(l4, udp ? 6 : 16, udp && sum == 0 ? 0xffff : sum);
}

Frame l4_of(const view::Tuple& tuple) {
    Frame l4 = tuple.protocol == Protocol::tcp   ? tcp_segment()
               : tuple.protocol == Protocol::udp ? udp_datagram()
                                                 : sctp_packet();
    put16(l4, 0, tuple.source_port);
    put16(l4, 2, tuple.destination_port);
    sum_up(l4, tuple);
    return l4;
}

Frame ipv4_of(const view::Tuple& tuple, std::size_t l4_length) {
    Frame ip(ipv4_header);
    ip[0] = 0x45;
    put16(ip, 2, ipv4_header + l4_length);
    put16(ip, 6, 0x4000);  // don't fragment
    ip[8] = 64;
    ip[9] = static_cast<std::uint8_t>(tuple.protocol);
    std::ranges::copy(tuple.source.octets(), ip.begin() + 12);
    std::ranges::copy(tuple.destination.octets(), ip.begin() + 16);
    put16(ip, 10, internet_checksum(ip, 0));
    return ip;
}

Frame ipv6_of(const view::Tuple& tuple, std::size_t l4_length) {
    Frame ip(ipv6_header);
    ip[0] = 0x60;
    put16(ip, 4, l4_length);
    ip[6] = static_cast<std::uint8_t>(tuple.protocol);
    ip[7] = 64;
    std::ranges::copy(tuple.source.bytes, ip.begin() + 8);
    std::ranges::copy(tuple.destination.bytes, ip.begin() + 24);
    return ip;
}

}  // namespace

Frame first_packet(const view::Tuple& tuple) {
    bool ipv4 = tuple.source.family() == Family::ipv4;
    auto l4 = l4_of(tuple);
    auto ip = ipv4 ? ipv4_of(tuple, l4.size()) : ipv6_of(tuple, l4.size());
    Frame frame = {0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0, 0};
    put16(frame, 12, ipv4 ? ETH_P_IP : ETH_P_IPV6);
    frame.insert(frame.end(), ip.begin(), ip.end());
    frame.insert(frame.end(), l4.begin(), l4.end());
    return frame;
}

view::Tuple tuple_of(std::span<const std::uint8_t> frame) {
    bool ipv4 = get16(frame, 12) == ETH_P_IP;
    auto ip = frame.subspan(ETH_HLEN);
    auto l4 = ip.subspan(ipv4 ? ipv4_header : ipv6_header);
    auto address = [&](std::size_t at) { return *Address::from_octets(ip.subspan(at, ipv4 ? 4 : 16)); };
    return {.protocol = static_cast<Protocol>(ip[ipv4 ? 9 : 6]),
            .source = address(ipv4 ? 12 : 8),
            .source_port = get16(l4, 0),
            .destination = address(ipv4 ? 16 : 24),
            .destination_port = get16(l4, 2)};
}

}  // namespace weir::explain
