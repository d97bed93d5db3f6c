// SPDX-License-Identifier: Apache-2.0
// IP addresses and prefixes, both families in one 16-byte form (IPv4 mapped into ::ffff:0:0/96, RFC 4291 2.5.5.2).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::model {

enum class Family : std::uint8_t { ipv4, ipv6 };

// Values are IANA protocol numbers.
enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };

struct Address {
    std::array<std::uint8_t, 16> bytes{};  // network byte order

    // Accepts "10.0.0.1", "fd00::1" and "::ffff:10.0.0.1" (the same address as 10.0.0.1). No zone, no prefix length,
    // no leading zeros in IPv4 (ambiguous: CVE-2021-29923).
    static std::optional<Address> parse(std::string_view text);
    // host_order: 10.0.0.1 is 0x0a000001.
    static Address from_ipv4(std::uint32_t host_order);
    // ipv4_be: as the kernel's structures hold it.
    static Address from_ipv4_be(std::uint32_t ipv4_be);
    // Takes the 4 or 16 octets that packets and netlink messages hold; none for any other number of them.
    static std::optional<Address> from_octets(std::span<const std::uint8_t> octets);

    Family family() const;
    std::uint32_t ipv4() const;     // host order; meaningful for Family::ipv4 only
    std::uint32_t ipv4_be() const;  // the same in network byte order
    // Returns the 4 or 16 octets of the family: a view into `bytes`.
    std::span<const std::uint8_t> octets() const;
    bool is_unspecified() const;
    bool is_loopback() const;
    bool is_link_local() const;
    bool is_multicast() const;
    std::string to_string() const;  // RFC 5952 form for IPv6

    auto operator<=>(const Address&) const = default;
};

struct Cidr {
    Address base;             // host bits are zero
    std::uint8_t length = 0;  // prefix length in the family's own terms (0..32 or 0..128)

    // Accepts "10.96.0.0/16", with white space around it; host bits are cleared.
    static std::optional<Cidr> parse(std::string_view text);
    // Returns the prefix length in terms of the 16-byte form: 96 more for IPv4.
    unsigned mapped_length() const;
    bool contains(const Address&) const;
    std::string to_string() const;

    auto operator<=>(const Cidr&) const = default;
};

// Returns the first address of the family; null: there is none.
const Address* first_of(const std::vector<Address>& addresses, Family family);

// "10.0.0.1:80", "[fd00::1]:80"
std::string to_string(const Address&, std::uint16_t port);
std::string_view to_string(Protocol);  // "TCP", "UDP", "SCTP"
std::optional<Protocol> parse_protocol(std::string_view text);

}  // namespace weir::model

template <>
struct std::hash<weir::model::Address> {
    std::size_t operator()(const weir::model::Address&) const noexcept;
};
