// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "loader/model/address.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using namespace std::string_view_literals;

struct Written {
    std::string_view text;
    std::string_view canonical;
};
class CidrText : public testing::TestWithParam<Written> {};

TEST_P(CidrText, HasNoHostBits) {
    EXPECT_EQ(cidr(GetParam().text).to_string(), GetParam().canonical);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CidrText,
    testing::Values(Written{"10.96.0.0/16", "10.96.0.0/16"}, Written{"10.96.3.4/16", "10.96.0.0/16"},
                    Written{"10.255.255.255/9", "10.128.0.0/9"}, Written{"192.0.2.77/32", "192.0.2.77/32"},
                    Written{"192.0.2.77/31", "192.0.2.76/31"}, Written{"203.0.113.1/0", "0.0.0.0/0"},
                    Written{"FD00:96::1/112", "fd00:96::/112"}, Written{"fd00::ffff/127", "fd00::fffe/127"},
                    Written{"fd00::1/128", "fd00::1/128"}, Written{"2001:db8::/0", "::/0"},
                    Written{"2001:dbf::/29", "2001:db8::/29"}, Written{" \t10.0.0.0/8\r\n", "10.0.0.0/8"}));

class RefusedCidr : public testing::TestWithParam<std::string_view> {};

TEST_P(RefusedCidr, IsNone) {
    EXPECT_EQ(Cidr::parse(GetParam()), std::nullopt) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Malformed, RefusedCidr,
                         testing::Values("", "  ", "/", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/33", "fd00::/129",
                                         "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/8 8", "10.0.0.0 /8",
                                         "10.0.0.0/ 8", "10.0.0.0/0x8", "10.0.0.0/255.0.0.0", "10.0.0.0/4294967304",
                                         "10.0.0/8", "10/8", "10.0.0.0/8\0"sv));

INSTANTIATE_TEST_SUITE_P(Ambiguous, RefusedCidr,
                         testing::Values("010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/00", "::ffff:10.0.0.0/8",
                                         "::ffff:10.0.0.0/104", "fe80::%eth0/64"));

TEST(CidrContains, ExactlyItsAddresses) {
    auto nine = cidr("10.128.0.0/9");
    EXPECT_TRUE(nine.contains(address("10.128.0.0")));
    EXPECT_TRUE(nine.contains(address("10.255.255.255")));
    EXPECT_FALSE(nine.contains(address("10.127.255.255")));
    EXPECT_FALSE(nine.contains(address("11.128.0.0")));
    auto single = cidr("fd00::1/128");
    EXPECT_TRUE(single.contains(address("fd00::1")));
    EXPECT_FALSE(single.contains(address("fd00::2")));
    auto odd = cidr("2001:db8::/29");
    EXPECT_TRUE(odd.contains(address("2001:dbf:ffff::1")));
    EXPECT_FALSE(odd.contains(address("2001:dc0::")));
}

TEST(CidrContains, EverythingOfOneFamilyOnly) {
    EXPECT_TRUE(cidr("0.0.0.0/0").contains(address("255.255.255.255")));
    EXPECT_FALSE(cidr("0.0.0.0/0").contains(address("fd00::1")));
    EXPECT_TRUE(cidr("::/0").contains(address("fd00::1")));
    EXPECT_FALSE(cidr("::/0").contains(address("10.0.0.1"))) << "although its bytes begin with zeros";
    EXPECT_FALSE(cidr("::/64").contains(address("10.0.0.1")));
}

TEST(CidrEquality, ByNetworkAndLength) {
    EXPECT_EQ(cidr("10.0.0.1/8"), cidr("10.2.0.0/8"));
    EXPECT_NE(cidr("10.0.0.0/8"), cidr("10.0.0.0/9"));
}

}  // namespace
}  // namespace weir::model::test
