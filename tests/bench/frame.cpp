// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/frame.hpp"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace weir::bench {
namespace {

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
    return value;
}

std::uint32_t load_word(const std::uint8_t* bytes) {
    return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
           static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

// Returns the sum of big-endian 16-bit words, folded so that the program can add to it.
std::uint32_t sum_of(const std::vector<std::uint8_t>& bytes, std::size_t from, std::size_t to) {
    std::uint64_t sum = 0;
    for (std::size_t i = from; i < to; i += 2)
        sum += static_cast<std::uint32_t>(bytes[i]) << 8 | (i + 1 < to ? bytes[i + 1] : 0);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint32_t>(sum);
}

template <typename Header>
void put(Frame& frame, std::size_t offset, const Header& header) {
    std::memcpy(frame.bytes.data() + offset, &header, sizeof(header));
}

void put_ipv4(Frame& frame, const FrameOptions& options) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tot_len = htons(static_cast<std::uint16_t>(options.size - ETH_HLEN));
    ip.frag_off = htons(IP_DF);
    ip.ttl = 64;
    ip.protocol = static_cast<std::uint8_t>(options.protocol);
    put(frame, ETH_HLEN, ip);
    frame.at.source = ETH_HLEN + offsetof(iphdr, saddr);
    frame.at.destination = ETH_HLEN + offsetof(iphdr, daddr);
    frame.at.ip_checksum = ETH_HLEN + offsetof(iphdr, check);
    frame.ip_sum = sum_of(frame.bytes, ETH_HLEN, ETH_HLEN + sizeof(iphdr));
}

// Writes the whole addresses, and takes their last words, which vary, out of the sums again.
void put_ipv6(Frame& frame, const FrameOptions& options) {
    ip6_hdr ip{};
    ip.ip6_flow = htonl(6u << 28);
    ip.ip6_plen = htons(static_cast<std::uint16_t>(options.size - ETH_HLEN - sizeof(ip6_hdr)));
    ip.ip6_nxt = static_cast<std::uint8_t>(options.protocol);
    ip.ip6_hlim = 64;
    std::memcpy(&ip.ip6_src, options.source.base.bytes.data(), 12);
    std::memcpy(&ip.ip6_dst, options.destination.base.bytes.data(), 12);
    put(frame, ETH_HLEN, ip);
    frame.at.source = ETH_HLEN + offsetof(ip6_hdr, ip6_src) + 12;
    frame.at.destination = ETH_HLEN + offsetof(ip6_hdr, ip6_dst) + 12;
}

void put_ports(Frame& frame, const FrameOptions& options, std::size_t offset) {
    std::size_t length = options.size - offset;
    if (options.protocol == model::Protocol::tcp) {
        tcphdr tcp{};
        tcp.seq = htonl(1);
        tcp.doff = 5;
        tcp.window = htons(65535);
        std::uint8_t* bytes = frame.bytes.data() + offset;
        put(frame, offset, tcp);
        bytes[13] = options.tcp_flags;
        frame.at.checksum = static_cast<std::uint32_t>(offset + offsetof(tcphdr, check));
    } else {
        udphdr udp{};
        udp.len = htons(static_cast<std::uint16_t>(length));
        put(frame, offset, udp);
        frame.at.checksum = static_cast<std::uint32_t>(offset + offsetof(udphdr, check));
    }
    frame.at.ports = static_cast<std::uint32_t>(offset);
    // The pseudo header, as far as it does not vary: addresses, length, protocol.
    std::size_t addresses = frame.at.ip_checksum ? offset : ETH_HLEN + offsetof(ip6_hdr, ip6_src);
    std::uint64_t sum = sum_of(frame.bytes, addresses, frame.bytes.size());
    sum += length + static_cast<std::uint32_t>(options.protocol);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    frame.sum = static_cast<std::uint32_t>(sum);
}

}  // namespace

Mac parse_mac(const std::string& text) {
    Mac mac{};
    int length = 0;
    int fields = std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3],
                             &mac[4], &mac[5], &length);
    if (fields != 6 || static_cast<std::size_t>(length) != text.size())
        throw std::invalid_argument(text + " is no MAC address; one looks like 02:00:00:00:00:01");
    return mac;
}

Range Range::ports(const std::string& text) {
    auto dash = text.find('-');
    auto first = number(std::string_view(text).substr(0, dash), 65535);
    auto last = dash == std::string::npos ? first : number(std::string_view(text).substr(dash + 1), 65535);
    if (!first || !last || *first > *last)
        throw std::invalid_argument(text + " is no range of ports; write 80 or 1024-65535");
    return {*first, *last - *first + 1};
}

Addresses Addresses::parse(const std::string& text) {
    Addresses result;
    unsigned host_bits = 0;
    if (auto address = model::Address::parse(text)) {
        result.base = *address;
    } else if (auto cidr = model::Cidr::parse(text)) {
        result.base = cidr->base;
        host_bits = (cidr->base.family() == model::Family::ipv4 ? 32u : 128u) - cidr->length;
    } else {
        throw std::invalid_argument(text + " is neither an address nor a prefix (198.18.0.0/15, 2001:db8::/96)");
    }
    // 2^32 - 1 is the largest count that the program can divide by.
    result.last_word = {load_word(result.base.bytes.data() + 12), host_bits < 32 ? 1u << host_bits : ~0u};
    return result;
}

Frame make_frame(const FrameOptions& options) {
    bool v4 = options.source.base.family() == model::Family::ipv4;
    if (v4 != (options.destination.base.family() == model::Family::ipv4))
        throw std::invalid_argument("source and destination are of different families");
    if (options.protocol != model::Protocol::udp && options.protocol != model::Protocol::tcp)
        throw std::invalid_argument("the protocol is udp or tcp");
    if (options.size < smallest_frame || options.size > largest_frame)
        throw std::invalid_argument(fmt::format("a frame has {} to {} bytes", smallest_frame, largest_frame));
    Frame frame;
    frame.bytes.resize(options.size);
    ethhdr eth{};
    std::ranges::copy(options.destination_mac, eth.h_dest);
    std::ranges::copy(options.source_mac, eth.h_source);
    eth.h_proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6);
    put(frame, 0, eth);
    v4 ? put_ipv4(frame, options) : put_ipv6(frame, options);
    put_ports(frame, options, ETH_HLEN + (v4 ? sizeof(iphdr) : sizeof(ip6_hdr)));
    return frame;
}

}  // namespace weir::bench
