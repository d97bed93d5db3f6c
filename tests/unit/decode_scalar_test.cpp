// SPDX-License-Identifier: Apache-2.0
// Types of unquoted words, and names and misspellings that are recognised.
#include "loader/decode/scalar.hpp"

#include <gtest/gtest.h>

#include <array>

#include "loader/decode/names.hpp"
#include "loader/decode/nearest.hpp"

namespace weir::model::test {
namespace {

using namespace std::literals;
using enum decode::Value::Kind;

struct Resolved {
    std::string_view written;
    decode::Value::Kind kind;
};
class PlainScalar : public testing::TestWithParam<Resolved> {};

TEST_P(PlainScalar, Resolves) {
    EXPECT_EQ(decode::resolve_plain(GetParam().written), GetParam().kind) << GetParam().written;
}

INSTANTIATE_TEST_SUITE_P(Words, PlainScalar,
                         testing::Values(Resolved{"", null}, Resolved{"~", null}, Resolved{"null", null},
                                         Resolved{"NULL", null}, Resolved{"nULL", text}, Resolved{"None", text},
                                         Resolved{"true", boolean}, Resolved{"yes", boolean}, Resolved{"On", boolean},
                                         Resolved{"n", boolean}, Resolved{"OFF", boolean}, Resolved{"tRUE", text},
                                         Resolved{"truely", text}, Resolved{"none", text}));

INSTANTIATE_TEST_SUITE_P(Numbers, PlainScalar,
                         testing::Values(Resolved{"0", integer}, Resolved{"80", integer}, Resolved{"-1", integer},
                                         Resolved{"+1", integer}, Resolved{"0x1F", integer}, Resolved{"0b101", integer},
                                         Resolved{"0o17", integer}, Resolved{"017", integer},
                                         Resolved{"1_000", integer}, Resolved{"99999999999999999999", integer},
                                         Resolved{"1.5", real}, Resolved{".5", real}, Resolved{"1.", real},
                                         Resolved{"1e3", real}, Resolved{"-1.5E-3", real}, Resolved{".inf", real},
                                         Resolved{"-.INF", real}, Resolved{".NaN", real}, Resolved{"089", real}));

INSTANTIATE_TEST_SUITE_P(LooksLikeANumber, PlainScalar,
                         testing::Values(Resolved{"-", text}, Resolved{"+", text}, Resolved{".", text},
                                         Resolved{"0x", text}, Resolved{"0xG", text}, Resolved{"0b2", text},
                                         Resolved{"1_", text}, Resolved{"1e", text}, Resolved{"1e+", text},
                                         Resolved{"1.2.3", text}, Resolved{"10.0.0.1", text}, Resolved{"8080a", text},
                                         Resolved{"fd00::1", text}, Resolved{"--1", text}, Resolved{"-_1", text},
                                         Resolved{"::1", text}, Resolved{"80/TCP", text}));

TEST(ParseInteger, InEveryBase) {
    EXPECT_EQ(decode::parse_integer("80"), 80);
    EXPECT_EQ(decode::parse_integer("-80"), -80);
    EXPECT_EQ(decode::parse_integer("+80"), 80);
    EXPECT_EQ(decode::parse_integer("0x50"), 80);
    EXPECT_EQ(decode::parse_integer("-0X50"), -80);
    EXPECT_EQ(decode::parse_integer("0b1010000"), 80);
    EXPECT_EQ(decode::parse_integer("0o120"), 80);
    EXPECT_EQ(decode::parse_integer("0120"), 80);
    EXPECT_EQ(decode::parse_integer("8_0"), 80);
    EXPECT_EQ(decode::parse_integer("0"), 0);
}

TEST(ParseInteger, OfSixtyFourBitsAndNoMore) {
    EXPECT_EQ(decode::parse_integer("9223372036854775807"), INT64_MAX);
    EXPECT_EQ(decode::parse_integer("-9223372036854775808"), INT64_MIN);
    EXPECT_EQ(decode::parse_integer("9223372036854775808"), std::nullopt);
    EXPECT_EQ(decode::parse_integer("18446744073709551696"), std::nullopt) << "80 modulo 2^64";
    EXPECT_EQ(decode::parse_integer("0x" + std::string(1000, 'f')), std::nullopt);
    EXPECT_EQ(decode::parse_integer("0b" + std::string(63, '1')), INT64_MAX);
    EXPECT_EQ(decode::parse_integer("0x" + std::string(1000, '0') + "50"), std::nullopt) << "not 0: nothing is cut off";
}

TEST(ParseBoolean, Words) {
    for (auto word : {"true", "True", "yes", "ON", "y"}) EXPECT_TRUE(decode::parse_boolean(word)) << word;
    for (auto word : {"false", "FALSE", "no", "Off", "N"}) EXPECT_FALSE(decode::parse_boolean(word)) << word;
}

std::string of_length(std::size_t length) {
    return std::string(length, 'a');
}

TEST(Names, OfServicesAreDns1035Labels) {
    for (const auto& name : {"web"s, "a"s, "web-1"s, of_length(63)})
        EXPECT_TRUE(decode::dns1035_label.accepts(name)) << name;
    for (const auto& name : {""s, "1web"s, "-web"s, "web-"s, "Web"s, "web.app"s, "web_app"s,
                             "w\xc3\xa9"
                             "b"s,
                             of_length(64)})
        EXPECT_FALSE(decode::dns1035_label.accepts(name)) << name;
}

TEST(Names, OfNamespacesMayStartWithADigit) {
    EXPECT_TRUE(decode::dns1123_label.accepts("1web"));
    EXPECT_FALSE(decode::dns1123_label.accepts("web.app"));
    EXPECT_FALSE(decode::dns1123_label.accepts(of_length(64)));
}

TEST(Names, OfOtherObjectsMayHaveDots) {
    EXPECT_TRUE(decode::dns1123_subdomain.accepts("web.app-1.2"));
    EXPECT_TRUE(decode::dns1123_subdomain.accepts(of_length(253)));
    for (const auto& name : {""s, "."s, "web."s, ".web"s, "web..app"s, "web.-app"s, "web-.app"s, of_length(254)})
        EXPECT_FALSE(decode::dns1123_subdomain.accepts(name)) << name;
}

TEST(Names, OfPortsAreShortAndHaveALetter) {
    for (auto name : {"http", "p", "8080-http", "a23456789012345"})
        EXPECT_TRUE(decode::port_name.accepts(name)) << name;
    for (auto name : {"", "8080", "80-80", "a234567890123456", "my--port", "-http", "http-", "HTTP", "my_port"})
        EXPECT_FALSE(decode::port_name.accepts(name)) << name;
}

TEST(Nearest, WhatAMisspeltWordStandsFor) {
    constexpr std::array words{"ports"sv, "selector"sv, "clusterIP"sv, "clusterIPs"sv, "externalTrafficPolicy"sv};
    EXPECT_EQ(decode::nearest("port", words), "ports");
    EXPECT_EQ(decode::nearest("selectors", words), "selector");
    EXPECT_EQ(decode::nearest("prots", words), "ports") << "two swapped letters count as one mistake";
    EXPECT_EQ(decode::nearest("clusterip", words), "clusterIP") << "the nearer of two";
    EXPECT_EQ(decode::nearest("clusterIps", words), "clusterIPs");
    EXPECT_EQ(decode::nearest("externalTrafficPolcy", words), "externalTrafficPolicy");
}

TEST(Nearest, NothingWhenNothingIsNear) {
    constexpr std::array words{"ports"sv, "selector"sv};
    EXPECT_EQ(decode::nearest("replicas", words), "");
    EXPECT_EQ(decode::nearest("", words), "");
    EXPECT_EQ(decode::nearest(std::string(100'000, 'p'), words), "");
    EXPECT_EQ(decode::nearest("ports", {}), "");
}

}  // namespace
}  // namespace weir::model::test
