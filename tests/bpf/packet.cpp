// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/packet.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weir::test {

namespace {

constexpr std::size_t ethernet = 14, ipv4_header = 20, ipv6_header = 40, tcp_header = 20, udp_header = 8,
                      sctp_header = 12;

void put16(Frame& frame, std::size_t at, std::size_t value) {
    frame.at(at) = static_cast<std::uint8_t>(value >> 8);
    frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

void put32(Frame& frame, std::size_t at, std::uint32_t value) {
    put16(frame, at, value >> 16);
    put16(frame, at + 2, value & 0xffff);
}

// Computes the checksum of RFC 1071 over the octets from begin to end, starting from sum.
std::uint16_t internet_checksum(const Frame& frame, std::size_t begin, std::size_t end, std::uint64_t sum) {
    for (std::size_t i = begin; i < end; ++i) sum += std::uint64_t{frame.at(i)} << ((i - begin) % 2 ? 0 : 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// Needs no case for mapped IPv4 addresses: their constant 0xffff is zero in one's complement.
std::uint64_t sum_of(const abi::address& address) {
    std::uint64_t sum = 0;
    for (int i = 0; i < 16; i += 2) sum += address.bytes[i] << 8 | address.bytes[i + 1];
    return sum;
}

// Computes CRC-32C bit by bit (RFC 9260, appendix A). The packet has its octets in little-endian order.
std::uint32_t crc32c(const Frame& frame, std::size_t begin, std::size_t end) {
    std::uint32_t crc = 0xffffffff;
    for (std::size_t i = begin; i < end; ++i) {
        crc ^= frame.at(i);
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

}  // namespace

Packet Packet::of(const Tuple& tuple, int flags) {
    Packet packet;
    packet.tuple_ = tuple;
    packet.flags_ = static_cast<std::uint8_t>(flags);
    return packet;
}

Packet Packet::tcp(Endpoint from, Endpoint to, int flags) {
    return of({from, to, IPPROTO_TCP}, flags);
}

Packet Packet::udp(Endpoint from, Endpoint to) {
    return of({from, to, IPPROTO_UDP});
}

Packet Packet::sctp(Endpoint from, Endpoint to) {
    return of({from, to, IPPROTO_SCTP});
}

Packet Packet::icmp(const abi::address& from, const abi::address& to, int type, int code, std::uint32_t rest) {
    Packet packet = of({{from, 0}, {to, 0}, is_ipv4(from) ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6}});
    packet.message_ = true;
    packet.type_ = static_cast<std::uint8_t>(type);
    packet.code_ = static_cast<std::uint8_t>(code);
    packet.rest_ = rest;
    return packet;
}

Packet& Packet::ttl(std::uint8_t value) {
    ttl_ = value;
    return *this;
}

Packet& Packet::payload(std::string_view text) {
    payload_.assign(text.begin(), text.end());
    return *this;
}

Packet& Packet::payload(std::size_t octets) {
    payload_.resize(octets);
    std::iota(payload_.begin(), payload_.end(), std::uint8_t{1});
    return *this;
}

Packet& Packet::payload(Frame octets) {
    payload_ = std::move(octets);
    return *this;
}

Packet& Packet::numbers(std::uint32_t sequence, std::uint32_t acknowledgement) {
    sequence_ = sequence;
    acknowledgement_ = acknowledgement;
    return *this;
}

Packet& Packet::ipv4_options(std::size_t words) {
    option_words_ = words;
    return *this;
}

Packet& Packet::extension(std::uint8_t type, std::size_t units) {
    extensions_.emplace_back(type, units);
    return *this;
}

Packet& Packet::fragment(std::uint16_t offset, bool more) {
    fragment_bits_ = static_cast<std::uint16_t>(offset | (more ? 0x2000 : 0));
    return *this;
}

Packet& Packet::without_checksum() {
    checksum_ = false;
    return *this;
}

Packet& Packet::trailer(std::size_t octets) {
    trailer_ = octets;
    return *this;
}

std::size_t Packet::l4_offset() const {
    if (is_ipv4(tuple_.source.address)) return ethernet + ipv4_header + 4 * option_words_;
    std::size_t offset = ethernet + ipv6_header;
    for (const auto& [type, units] : extensions_) offset += 8 * units;
    return offset;
}

void Packet::write_ipv4(Frame& frame, std::size_t l4_length) const {
    put16(frame, 12, 0x0800);
    frame.at(14) = static_cast<std::uint8_t>(0x40 | (5 + option_words_));
    put16(frame, 16, ipv4_header + 4 * option_words_ + l4_length);
    put16(frame, 18, 0x1234);
    put16(frame, 20, fragment_bits_);
    frame.at(22) = ttl_;
    frame.at(23) = tuple_.protocol;
    std::copy_n(tuple_.source.address.bytes + 12, 4, frame.begin() + 26);
    std::copy_n(tuple_.destination.address.bytes + 12, 4, frame.begin() + 30);
    std::fill_n(frame.begin() + 34, 4 * option_words_, std::uint8_t{1});  // no operation
    put16(frame, 24, internet_checksum(frame, ethernet, l4_offset(), 0));
}

void Packet::write_ipv6(Frame& frame, std::size_t l4_length) const {
    put16(frame, 12, 0x86dd);
    frame.at(14) = 0x60;
    put16(frame, 18, l4_offset() - ethernet - ipv6_header + l4_length);
    frame.at(20) = extensions_.empty() ? tuple_.protocol : extensions_.front().first;
    frame.at(21) = ttl_;
    std::copy_n(tuple_.source.address.bytes, 16, frame.begin() + 22);
    std::copy_n(tuple_.destination.address.bytes, 16, frame.begin() + 38);
    std::size_t at = ethernet + ipv6_header;
    for (std::size_t i = 0; i < extensions_.size(); ++i) {
        auto [type, units] = extensions_[i];
        frame.at(at) = i + 1 < extensions_.size() ? extensions_[i + 1].first : tuple_.protocol;
        frame.at(at + 1) = static_cast<std::uint8_t>(units - 1);
        if (type != IPPROTO_FRAGMENT && type != IPPROTO_ROUTING) {
            frame.at(at + 2) = 1;  // PadN
            frame.at(at + 3) = static_cast<std::uint8_t>(8 * units - 4);
        }
        at += 8 * units;
    }
}

std::size_t Packet::l4_header() const {
    if (tuple_.protocol == IPPROTO_TCP) return tcp_header;
    return tuple_.protocol == IPPROTO_SCTP ? sctp_header : udp_header;
}

void Packet::write_l4(Frame& frame) const {
    std::size_t at = l4_offset(), end = frame.size() - trailer_, check = 0;
    put16(frame, at, tuple_.source.port);
    put16(frame, at + 2, tuple_.destination.port);
    std::copy(payload_.begin(), payload_.end(), frame.begin() + static_cast<std::ptrdiff_t>(at + l4_header()));
    if (tuple_.protocol == IPPROTO_TCP) {
        check = at + 16;
        put32(frame, at + 4, sequence_);
        put32(frame, at + 8, acknowledgement_);
        frame.at(at + 12) = 0x50;
        frame.at(at + 13) = flags_;
        put16(frame, at + 14, 0xfaf0);
    } else if (tuple_.protocol == IPPROTO_UDP) {
        check = at + 6;
        put16(frame, at + 4, end - at);
    } else if (tuple_.protocol == IPPROTO_SCTP) {
        put32(frame, at + 4, 0x5ca1ab1e);  // verification tag
        std::uint32_t crc = crc32c(frame, at, end);
        for (std::size_t i = 0; i < 4; ++i) frame.at(at + 8 + i) = static_cast<std::uint8_t>(crc >> 8 * i);
    } else if (message_) {
        check = at + 2;
        frame.at(at) = type_;
        frame.at(at + 1) = code_;
        put16(frame, check, 0);
        put32(frame, at + 4, rest_);
    }
    if (!check || !checksum_) return;
    std::uint64_t pseudo = 0;  // ICMP has none (RFC 792)
    if (tuple_.protocol != IPPROTO_ICMP)
        pseudo = sum_of(tuple_.source.address) + sum_of(tuple_.destination.address) + tuple_.protocol + (end - at);
    std::uint16_t sum = internet_checksum(frame, at, end, pseudo);
    if (tuple_.protocol == IPPROTO_UDP && !sum) sum = 0xffff;
    put16(frame, check, sum);
}

Frame Packet::frame() const {
    std::size_t l4_length = l4_header() + payload_.size();
    Frame frame(l4_offset() + l4_length + trailer_);
    std::copy(default_destination_mac.begin(), default_destination_mac.end(), frame.begin());
    std::copy(default_source_mac.begin(), default_source_mac.end(), frame.begin() + 6);
    if (is_ipv4(tuple_.source.address))
        write_ipv4(frame, l4_length);
    else
        write_ipv6(frame, l4_length);
    write_l4(frame);
    return frame;
}

Frame quotation(const Frame& frame, std::size_t l4_octets) {
    std::size_t l4 = frame.at(12) == 0x08 ? ethernet + frame.at(14) % 16u * 4 : ethernet + ipv6_header;
    return {frame.begin() + ethernet,
            frame.begin() + static_cast<std::ptrdiff_t>(std::min(frame.size(), l4 + l4_octets))};
}

std::vector<Frame> cut(const Frame& frame, std::size_t octets, std::uint32_t id, std::size_t extensions) {
    bool v4 = frame.at(12) == 0x08;
    std::size_t header = v4 ? ethernet + frame.at(14) % 16u * 4 : ethernet + ipv6_header + extensions;
    auto at = [](std::size_t offset) { return static_cast<std::ptrdiff_t>(offset); };
    std::vector<Frame> fragments;
    for (std::size_t begin = header; begin < frame.size(); begin += octets) {
        std::size_t end = std::min(begin + octets, frame.size());
        bool more = end < frame.size();
        Frame fragment(frame.begin(), frame.begin() + at(header));
        if (v4) {
            put16(fragment, 18, id & 0xffff);
            put16(fragment, 20, (begin - header) / 8 | (more ? 0x2000 : 0));
            put16(fragment, 16, header - ethernet + end - begin);
            put16(fragment, 24, 0);
            put16(fragment, 24, internet_checksum(fragment, ethernet, header, 0));
        } else {
            std::size_t next = extensions ? ethernet + ipv6_header : 20;  // one extension header at most
            fragment.resize(header + 8);
            fragment.at(header) = std::exchange(fragment.at(next), std::uint8_t{IPPROTO_FRAGMENT});
            put16(fragment, header + 2, (begin - header) | (more ? 1 : 0));
            put32(fragment, header + 4, id);
            put16(fragment, 18, extensions + 8 + end - begin);
        }
        fragment.insert(fragment.end(), frame.begin() + at(begin), frame.begin() + at(end));
        fragments.push_back(std::move(fragment));
    }
    return fragments;
}

}  // namespace weir::test
