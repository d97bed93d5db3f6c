// SPDX-License-Identifier: Apache-2.0
#include "loader/model/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>

#include "loader/model/abi_address.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using namespace std::string_view_literals;

TEST(AddressParse, BothFamiliesInOneForm) {
    auto ipv4 = address("10.0.0.1");
    EXPECT_EQ(ipv4.family(), Family::ipv4);
    EXPECT_EQ(ipv4.ipv4(), 0x0a000001u);
    EXPECT_EQ(ipv4.bytes, (std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}));
    EXPECT_EQ(ipv4, Address::from_ipv4(0x0a000001));
    auto ipv6 = address("fd00:1::a:b");
    EXPECT_EQ(ipv6.family(), Family::ipv6);
    EXPECT_EQ(ipv6.bytes, (std::array<std::uint8_t, 16>{0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa, 0, 0xb}));
}

TEST(AddressParse, MappedAddressesAreIpv4) {
    EXPECT_EQ(address("::ffff:10.0.0.1"), address("10.0.0.1"));
    EXPECT_EQ(address("::FFFF:a00:1"), address("10.0.0.1"));
    EXPECT_EQ(address("::ffff:10.0.0.1").to_string(), "10.0.0.1");
    EXPECT_EQ(address("::10.0.0.1").family(), Family::ipv6) << "the old compatible form is not the mapped one";
}

TEST(Address, OctetsAreThoseOfTheFamily) {
    const std::array<std::uint8_t, 16> octets{0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 7};
    auto ipv4 = Address::from_octets(std::span(octets).last(4));
    ASSERT_TRUE(ipv4);
    EXPECT_EQ(*ipv4, address("192.0.2.7"));
    EXPECT_TRUE(std::ranges::equal(ipv4->octets(), std::span(octets).last(4)));
    auto ipv6 = Address::from_octets(octets);
    ASSERT_TRUE(ipv6);
    EXPECT_EQ(*ipv6, address("fd00:1::c000:207"));
    EXPECT_TRUE(std::ranges::equal(ipv6->octets(), octets));
    for (std::size_t size : {0, 3, 5, 15}) EXPECT_FALSE(Address::from_octets(std::span(octets).first(size))) << size;
}

TEST(Address, Ipv4InNetworkByteOrder) {
    EXPECT_EQ(address("192.0.2.7").ipv4_be(), htonl(0xc0000207));
    EXPECT_EQ(Address::from_ipv4_be(htonl(0xc0000207)), address("192.0.2.7"));
}

TEST(Address, AsTheMapsHoldIt) {
    for (const auto* text : {"192.0.2.7", "fd00:1::c000:207", "0.0.0.0", "::"})
        EXPECT_EQ(address_of(abi_address(address(text))), address(text)) << text;
    auto ipv4 = abi_address(htonl(0xc0000207));
    EXPECT_EQ(ipv4.words_be[2], htonl(0xffff));
    EXPECT_EQ(ipv4.words_be[3], htonl(0xc0000207));
}

TEST(AddressParse, OctetsMayBeZeroButNotLead) {
    EXPECT_EQ(address("0.0.0.0").ipv4(), 0u);
    EXPECT_EQ(address("10.0.100.0").ipv4(), 0x0a006400u);
    EXPECT_EQ(address("255.255.255.255").ipv4(), 0xffffffffu);
}

class RefusedAddress : public testing::TestWithParam<std::string_view> {};

TEST_P(RefusedAddress, IsNone) {
    EXPECT_EQ(Address::parse(GetParam()), std::nullopt) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Ambiguous, RefusedAddress,
                         testing::Values("010.0.0.1", "10.0.0.01", "10.00.0.1", "00.0.0.0", "0x0a.0.0.1", "10.1",
                                         "167772161", "10.0.1", "::ffff:010.0.0.1", "fe80::1%eth0", "10.0.0.1%eth0"));

INSTANTIATE_TEST_SUITE_P(Malformed, RefusedAddress,
                         testing::Values("", " ", "10.0.0.256", "10.0.0.1.2", "10.0.0.", ".10.0.0", "10..0.1",
                                         "-1.0.0.0", "+1.0.0.0", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1/32",
                                         "10.0.0.1:80", "localhost", ":", ":::", "1::2::3", "1:2:3:4:5:6:7",
                                         "1:2:3:4:5:6:7:8:9", "12345::", "g::", "[fd00::1]", "fd00::1/64",
                                         "::ffff:10.0.0.256", "10.0.0.1\0"sv, "\0"sv, "10.0.0.1\0.2"sv, "fd00::1\0"sv,
                                         "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"));

struct Written {
    std::string_view text;
    std::string_view canonical;
};
class AddressText : public testing::TestWithParam<Written> {};

TEST_P(AddressText, IsThatOfRfc5952) {
    EXPECT_EQ(address(GetParam().text).to_string(), GetParam().canonical);
    EXPECT_EQ(address(GetParam().canonical), address(GetParam().text)) << "both forms are the same address";
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5952, AddressText,
    testing::Values(Written{"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},  // 4.1, 4.2.1
                    Written{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},              // 4.2.2: one group stays
                    Written{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},                       // 4.2.3: the longest run
                    Written{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},                 // 4.2.3: the first of equals
                    Written{"2001:DB8::ABCD", "2001:db8::abcd"},                          // 4.3: lower case
                    Written{"0:0:0:0:0:0:0:0", "::"}, Written{"0::1", "::1"}, Written{"fd00:0::", "fd00::"},
                    Written{"64:ff9b::192.0.2.1", "64:ff9b::c000:201"}, Written{"10.0.0.1", "10.0.0.1"}));

TEST(AddressText, WithAPort) {
    EXPECT_EQ(to_string(address("10.0.0.1"), 80), "10.0.0.1:80");
    EXPECT_EQ(to_string(address("fd00::1"), 65535), "[fd00::1]:65535");
}

TEST(AddressKind, Unspecified) {
    EXPECT_TRUE(address("0.0.0.0").is_unspecified());
    EXPECT_TRUE(address("::").is_unspecified());
    EXPECT_FALSE(address("0.0.0.1").is_unspecified());
    EXPECT_FALSE(address("::1").is_unspecified());
}

TEST(AddressKind, Loopback) {
    EXPECT_TRUE(address("127.0.0.1").is_loopback());
    EXPECT_TRUE(address("127.255.0.9").is_loopback());
    EXPECT_TRUE(address("::1").is_loopback());
    EXPECT_FALSE(address("128.0.0.1").is_loopback());
    EXPECT_FALSE(address("1::1").is_loopback());
    EXPECT_FALSE(address("::2").is_loopback());
}

TEST(AddressKind, LinkLocal) {
    EXPECT_TRUE(address("169.254.1.2").is_link_local());
    EXPECT_TRUE(address("fe80::1").is_link_local());
    EXPECT_TRUE(address("febf::1").is_link_local()) << "fe80::/10";
    EXPECT_FALSE(address("169.253.1.2").is_link_local());
    EXPECT_FALSE(address("fec0::1").is_link_local());
}

TEST(AddressKind, Multicast) {
    EXPECT_TRUE(address("224.0.0.1").is_multicast());
    EXPECT_TRUE(address("239.255.255.255").is_multicast());
    EXPECT_TRUE(address("ff02::1").is_multicast());
    EXPECT_FALSE(address("240.0.0.1").is_multicast());
    EXPECT_FALSE(address("fe00::1").is_multicast());
}

TEST(AddressOrder, Ipv4ByNumber) {
    EXPECT_LT(address("9.0.0.1"), address("10.0.0.1"));
    EXPECT_LT(address("10.0.0.1"), address("10.0.0.2"));
    EXPECT_LT(address("::1"), address("10.0.0.1")) << "the mapped form decides between families";
}

TEST(AddressHash, SpreadsTheAddressesOfOneNetwork) {
    std::set<std::size_t> low_bits;
    for (std::uint32_t i = 0; i < 256; ++i)
        low_bits.insert(std::hash<Address>()(Address::from_ipv4(0x0a000000 + i)) & 0xff);
    EXPECT_GT(low_bits.size(), 120u) << "256 balls in 256 urns fill 162 on average";
    EXPECT_EQ(std::hash<Address>()(address("::ffff:10.0.0.1")), std::hash<Address>()(address("10.0.0.1")));
}

TEST(ProtocolText, ThereAndBack) {
    EXPECT_EQ(parse_protocol("TCP"), Protocol::tcp);
    EXPECT_EQ(parse_protocol("udp"), Protocol::udp);
    EXPECT_EQ(parse_protocol("Sctp"), Protocol::sctp);
    EXPECT_EQ(parse_protocol("ICMP"), std::nullopt);
    EXPECT_EQ(parse_protocol("TCP "), std::nullopt);
    EXPECT_EQ(parse_protocol(""), std::nullopt);
    EXPECT_EQ(to_string(Protocol::sctp), "SCTP");
}

}  // namespace
}  // namespace weir::model::test
