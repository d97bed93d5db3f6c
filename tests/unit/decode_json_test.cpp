// SPDX-License-Identifier: Apache-2.0
// JSON as a text: refused input, bounds, and the lines of errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/decode/document.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

std::string malformed(std::string_view text) {
    auto decoded = from_json(text);
    EXPECT_TRUE(decoded.malformed) << text;
    EXPECT_TRUE(decoded.objects.empty()) << text;
    EXPECT_EQ(decoded.problems.size(), 1u) << text;
    return problems(decoded);
}

// Decodes a Service with this text as the number of its port, in line 3.
decode::Decoded with_port(std::string_view number) {
    return from_json(
        fmt::format("{{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {{\"name\": \"web\"}},\n"
                    "\"spec\": {{\"ports\": [\n{{\"port\": {}}}]}}}}",
                    number));
}

TEST(JsonDocument, IsOneObjectAtItsLine) {
    auto service = only<Service>(from_json("\n\n" + small_service("web") + "\n\n"));
    EXPECT_EQ(service.name.to_string(), "default/web");
    EXPECT_EQ(service.origin.line, 3);
    EXPECT_EQ(service.origin.file, "f.json");
}

TEST(JsonDocument, NothingIsNotAnError) {
    for (auto text : {"", " \r\n\t"}) {
        EXPECT_EQ(problems(from_json(text)), "");
        EXPECT_FALSE(from_json(text).malformed);
    }
}

TEST(JsonDocument, NothingFollowsIt) {
    EXPECT_EQ(malformed(small_service("a") + "\n" + small_service("b")),
              "error f.json:2: is not valid JSON: something follows the end of the document\n");
    EXPECT_THAT(malformed(small_service("a") + "\nx"), StartsWith("error f.json:2: is not valid JSON: "));
    EXPECT_THAT(malformed("5 6"), StartsWith("error f.json:1: "));
}

TEST(JsonDocument, SomethingElseThanAnObject) {
    for (auto [text, shown] :
         {std::pair{"[]", "a list"}, {"5", "5"}, {"\"x\"", "\"x\""}, {"null", "nothing"}, {"true", "true"}})
        EXPECT_EQ(problems(from_json(text)),
                  fmt::format("error f.json:1: {} stands where a Kubernetes object should; use a map with apiVersion, "
                              "kind and metadata\n",
                              shown));
}

class MalformedJson : public testing::TestWithParam<std::pair<std::string_view, int>> {};

TEST_P(MalformedJson, SaysWhere) {
    auto [text, line] = GetParam();
    EXPECT_THAT(malformed(text), StartsWith(fmt::format("error f.json:{}: is not valid JSON: ", line)));
}

INSTANTIATE_TEST_SUITE_P(Texts, MalformedJson,
                         testing::Values(std::pair{"{", 1}, std::pair{"{\"a\": 1,\n\"b\": [1\n", 2}, std::pair{"}", 1},
                                         std::pair{"x", 1}, std::pair{"{\"a\":\n\n1 \"b\": 2}", 3},
                                         std::pair{"{\"a\":\n[1,,2]}", 2}, std::pair{"[1,\n2,]", 2},
                                         std::pair{"{\"a\" 1}", 1}, std::pair{"{a: 1}", 1}, std::pair{"{'a': 1}", 1},
                                         std::pair{"{\"a\":\n1, // note\n\"b\": 2}", 2}, std::pair{"\n{\"a\": nul}", 2},
                                         std::pair{"{\"a\": True}", 1}, std::pair{"{\"a\":\n\"\\q\"}", 2},
                                         std::pair{"{\"a\": \"\\ud800\"}", 1}, std::pair{"{\"a\":\n\"x}", 2},
                                         std::pair{"{\"a\": 1,\n\"b\":\n\"x\ny\"}", 3}, std::pair{"\n\"\\q\"", 2},
                                         std::pair{"{\"a\":\n\n\"\\\"\x01\"}", 3}));

class MalformedNumber : public testing::TestWithParam<std::string_view> {};

TEST_P(MalformedNumber, IsNotJson) {
    auto decoded = with_port(GetParam());
    EXPECT_TRUE(decoded.malformed);
    EXPECT_THAT(problems(decoded), StartsWith("error f.json:3: is not valid JSON: "));
}

INSTANTIATE_TEST_SUITE_P(Texts, MalformedNumber,
                         testing::Values("010", "-010", "00", "-", "--1", "1-2", "+80", "0x50", "80.", ".8", "8e",
                                         "1e999", "0000000000000000000000000000080", "NaN", "Infinity", "8_0", "80a"));

TEST(JsonNumbers, HugeOnesAreNoPortsButJson) {
    EXPECT_EQ(
        problems(with_port("99999999999999999999999")),
        "error f.json:3: Service default/web: spec.ports[0].port: 99999999999999999999999 is not a port; use 1 to "
        "65535\n");
    EXPECT_THAT(problems(with_port("-18446744073709551536")), HasSubstr("is not a port"));
    EXPECT_THAT(problems(with_port("18446744073709551696")), HasSubstr("is not a port")) << "80 modulo 2^64";
    EXPECT_THAT(problems(with_port(std::string(5000, '9'))),
                MatchesRegex(".*port: \"9{60}\"\\.\\.\\. is not a port.*\n"));
}

TEST(JsonNumbers, PortsAreIntegers) {
    EXPECT_EQ(problems(with_port("80")), "");
    for (auto number : {"80.0", "8e1", "-0", "true", "[]", "{}"})
        EXPECT_THAT(problems(with_port(number)), HasSubstr("is not a port"));
    EXPECT_THAT(problems(with_port("\"80\"")), HasSubstr("\"80\" is text, not a port; use 1 to 65535 without quotes"));
}

TEST(JsonText, EscapesAreResolved) {
    auto text = small_service("w\\u0065b");
    EXPECT_EQ(only<Service>(from_json(text)).name.name, "web");
    text =
        R"({"\u006bind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}],
              "selector": {"app": "\ud83d\ude00\n"}}})";
    EXPECT_EQ(only<Service>(from_json(text)).selector.at("app"), "\xf0\x9f\x98\x80\n");
}

TEST(JsonText, EscapedNulsDoNotCutNamesShort) {
    EXPECT_THAT(problems(from_json(small_service("web\\u0000x"))),
                HasSubstr("metadata.name: \"web\\x00x\" is not a valid name"));
}

TEST(JsonText, IsUtf8) {
    EXPECT_EQ(malformed("{\"a\":\n\"\xff\"}"), "error f.json:2: is not valid UTF-8\n");
    EXPECT_EQ(malformed("{\"a\": \"\xed\xa0\x80\"}"), "error f.json:1: is not valid UTF-8\n")
        << "half of a surrogate pair";
}

TEST(JsonText, ByteOrderMarkIsNoPartOfIt) {
    EXPECT_EQ(only<Service>(from_json("\xef\xbb\xbf" + small_service("web"))).origin.line, 1);
}

TEST(JsonKeys, TwiceIsAnErrorOfTheObject) {
    auto decoded = from_json(
        "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"web\"},\n"
        "\"spec\": {\"type\": \"ClusterIP\",\n\"type\": \"NodePort\", \"ports\": [{\"port\": 80}]}}");
    EXPECT_EQ(problems(decoded), "error f.json:3: Service default/web: spec.type: is given twice; keep one\n");
    EXPECT_TRUE(decoded.objects.empty());
}

TEST(JsonDepth, IsBounded) {
    auto nested = [](int depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); };
    decode::Document fits, deep;
    auto at_most = nested(decode::max_depth);
    decode::parse_json(at_most, fits);
    EXPECT_EQ(fits.failure, "");
    auto more = nested(decode::max_depth + 1);
    decode::parse_json(more, deep);
    EXPECT_EQ(deep.failure, "is nested more than 100 levels deep");
    EXPECT_TRUE(deep.roots.empty());
    EXPECT_THAT(malformed("\n" + nested(100'000)), StartsWith("error f.json:"));
}

TEST(JsonManagedFields, ArePassedOverWhereTheyAreAList) {
    auto service = only<Service>(from_json(
        R"({"apiVersion": "v1", "kind": "Service",
            "metadata": {"managedFields": [{"a": {"b": [1, {}]}}], "name": "web"},
            "spec": {"ports": [{"port": 80}], "selector": {"managedFields": "x"}}})"));
    EXPECT_EQ(service.name.name, "web");
    EXPECT_EQ(service.selector, (Labels{{"managedFields", "x"}})) << "a label may have this name";
}

}  // namespace
}  // namespace weir::model::test
