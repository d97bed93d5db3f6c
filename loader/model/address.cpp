// SPDX-License-Identifier: Apache-2.0
#include "loader/model/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace weir::model {
namespace {

constexpr std::size_t ipv4_offset = 12;  // of an IPv4 address in its mapped form
constexpr std::array<std::uint8_t, ipv4_offset> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// inet_pton wants a terminated string; no address is longer than this buffer, and text with a NUL inside is refused.
std::optional<std::array<char, INET6_ADDRSTRLEN>> terminated(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.empty() || text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
    std::ranges::copy(text, buffer.begin());
    return buffer;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view white = " \t\r\n";
    auto first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::optional<unsigned> parse_length(std::string_view text, unsigned most) {
    if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    unsigned length = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        length = length * 10 + static_cast<unsigned>(c - '0');
    }
    if (length > most) return std::nullopt;
    return length;
}

std::uint8_t mask_of(unsigned full, std::size_t byte) {
    auto bits = std::clamp<int>(static_cast<int>(full) - static_cast<int>(8 * byte), 0, 8);
    return static_cast<std::uint8_t>(0xff00 >> bits);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
    auto buffer = terminated(text);
    if (!buffer) return std::nullopt;
    Address address;
    if (text.find(':') != std::string_view::npos) {
        if (inet_pton(AF_INET6, buffer->data(), address.bytes.data()) != 1) return std::nullopt;
        return address;
    }
    std::ranges::copy(mapped_prefix, address.bytes.begin());
    if (inet_pton(AF_INET, buffer->data(), address.bytes.data() + ipv4_offset) != 1) return std::nullopt;
    // Some C libraries read "010.0.0.1" as octal, some as decimal.
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        bool starts = i == 0 || text[i - 1] == '.';
        if (starts && text[i] == '0' && text[i + 1] != '.') return std::nullopt;
    }
    return address;
}

Address Address::from_ipv4(std::uint32_t host_order) {
    Address address;
    std::ranges::copy(mapped_prefix, address.bytes.begin());
    for (std::size_t i = 0; i < 4; ++i)
        address.bytes[ipv4_offset + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return address;
}

Address Address::from_ipv4_be(std::uint32_t ipv4_be) {
    return from_ipv4(ntohl(ipv4_be));
}

std::optional<Address> Address::from_octets(std::span<const std::uint8_t> octets) {
    Address address;
    if (octets.size() + ipv4_offset == address.bytes.size())
        std::ranges::copy(mapped_prefix, address.bytes.begin());
    else if (octets.size() != address.bytes.size())
        return std::nullopt;
    std::ranges::copy_backward(octets, address.bytes.end());
    return address;
}

Family Address::family() const {
    return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin()) ? Family::ipv4 : Family::ipv6;
}

std::uint32_t Address::ipv4() const {
    std::uint32_t value = 0;
    for (std::size_t i = ipv4_offset; i < bytes.size(); ++i) value = value << 8 | bytes[i];
    return value;
}

std::uint32_t Address::ipv4_be() const {
    return htonl(ipv4());
}

std::span<const std::uint8_t> Address::octets() const {
    return std::span(bytes).subspan(family() == Family::ipv4 ? ipv4_offset : 0);
}

bool Address::is_unspecified() const {
    if (family() == Family::ipv4) return ipv4() == 0;
    return std::ranges::all_of(bytes, [](auto byte) { return byte == 0; });
}

bool Address::is_loopback() const {
    if (family() == Family::ipv4) return bytes[ipv4_offset] == 127;
    return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; });
}

bool Address::is_link_local() const {
    if (family() == Family::ipv4) return bytes[ipv4_offset] == 169 && bytes[ipv4_offset + 1] == 254;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool Address::is_multicast() const {
    if (family() == Family::ipv4) return (bytes[ipv4_offset] & 0xf0) == 0xe0;
    return bytes[0] == 0xff;
}

std::string Address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(family() == Family::ipv4 ? AF_INET : AF_INET6, octets().data(), buffer.data(), buffer.size());
    return buffer.data();
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
    text = trim(text);
    auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto base = Address::parse(text.substr(0, slash));
    if (!base) return std::nullopt;
    // Of ::ffff:10.0.0.0/24 some programs count the bits in IPv6's terms, and it lets in all of IPv6's.
    if (base->family() == Family::ipv4 && text.find(':') != std::string_view::npos) return std::nullopt;
    auto length = parse_length(text.substr(slash + 1), base->family() == Family::ipv4 ? 32 : 128);
    if (!length) return std::nullopt;
    Cidr cidr{*base, static_cast<std::uint8_t>(*length)};
    auto full = cidr.mapped_length();
    for (std::size_t i = 0; i < 16; ++i) cidr.base.bytes[i] &= mask_of(full, i);
    return cidr;
}

unsigned Cidr::mapped_length() const {
    return base.family() == Family::ipv4 ? length + 8 * ipv4_offset : length;
}

bool Cidr::contains(const Address& address) const {
    if (address.family() != base.family()) return false;
    auto full = mapped_length();
    for (std::size_t i = 0; i < 16; ++i)
        if ((address.bytes[i] & mask_of(full, i)) != base.bytes[i]) return false;
    return true;
}

std::string Cidr::to_string() const {
    return base.to_string() + "/" + std::to_string(length);
}

const Address* first_of(const std::vector<Address>& addresses, Family family) {
    auto found = std::ranges::find(addresses, family, &Address::family);
    return found == addresses.end() ? nullptr : &*found;
}

std::string to_string(const Address& address, std::uint16_t port) {
    auto text = address.to_string();
    if (address.family() == Family::ipv6) text = "[" + text + "]";
    return text + ":" + std::to_string(port);
}

std::string_view to_string(Protocol protocol) {
    switch (protocol) {
        case Protocol::tcp:
            return "TCP";
        case Protocol::udp:
            return "UDP";
        case Protocol::sctp:
            return "SCTP";
    }
    return "unknown";
}

std::optional<Protocol> parse_protocol(std::string_view text) {
    auto same = [text](std::string_view name) {
        return std::ranges::equal(text, name, [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 32 : a) == b; });
    };
    for (auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp})
        if (same(to_string(protocol))) return protocol;
    return std::nullopt;
}

}  // namespace weir::model

std::size_t std::hash<weir::model::Address>::operator()(const weir::model::Address& address) const noexcept {
    // Two multiply-xorshift rounds: addresses of one network differ in their last bytes only.
    std::uint64_t high, low;
    std::memcpy(&high, address.bytes.data(), sizeof high);
    std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
    auto mixed = (high * 0x9e3779b97f4a7c15ULL) ^ low;
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93ULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}
