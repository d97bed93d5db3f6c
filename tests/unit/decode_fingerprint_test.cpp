// SPDX-License-Identifier: Apache-2.0
// Fingerprints tell whether an object that is read again has changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "loader/decode/document.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::SizeIs;

std::uint64_t print_of(const decode::Decoded& decoded, std::size_t index = 0) {
    EXPECT_EQ(decoded.fingerprints.size(), decoded.objects.size());
    EXPECT_GT(decoded.fingerprints.size(), index);
    return index < decoded.fingerprints.size() ? decoded.fingerprints[index] : 0;
}

TEST(Fingerprint, TheSameWhereverTheObjectStands) {
    auto alone = print_of(from_yaml(small_service("web")));
    EXPECT_EQ(print_of(from_yaml("# moved\n\n---\n" + small_service("web"))), alone);
    EXPECT_EQ(print_of(from_yaml(small_service("other") + "\n---\n" + small_service("web")), 1), alone);
    EXPECT_EQ(print_of(decode::decode(small_service("web"), decode::Format::yaml, "elsewhere.yaml")), alone);
    EXPECT_EQ(print_of(from_json("\n\n\n" + small_service("web"))), alone);
    EXPECT_EQ(print_of(from_json("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [" + small_service("other") +
                                 ",\n" + small_service("web") + "]}"),
                       1),
              alone);
}

TEST(Fingerprint, TheSameHoweverTheObjectIsWritten) {
    auto flow =
        print_of(from_yaml("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"));
    EXPECT_EQ(print_of(from_yaml("apiVersion: v1 # comment\nkind:   \"Service\"\nmetadata:\n    name: 'web'\nspec:\n  "
                                 "ports:\n  - port: 80\n")),
              flow);
    EXPECT_EQ(
        print_of(from_json(
            R"({"apiVersion":"v1","kind":"\u0053ervice","metadata":{"name":"web"},"spec":{"ports":[{"port":80}]}})")),
        flow);
}

TEST(Fingerprint, OneForEachObjectThatIsUsed) {
    auto decoded = from_yaml(small_service("a") +
                             "\n---\nkind: Service\napiVersion: v1\n---\nkind: Deployment\napiVersion: apps/v1\n---\n" +
                             small_service("a") + "\n---\n" + small_service("b"));
    EXPECT_EQ(names(decoded), "default/a default/b");
    EXPECT_THAT(decoded.fingerprints, SizeIs(2));
    EXPECT_NE(decoded.fingerprints[0], decoded.fingerprints[1]);
    EXPECT_EQ(decoded.fingerprints[1], print_of(from_yaml(small_service("b"))));
    EXPECT_THAT(from_yaml("a: [").fingerprints, SizeIs(0));
}

TEST(Fingerprint, DiffersWhenAnythingDoes) {
    const std::vector<std::string> variants{
        web_text("ports: [{port: 80}]"),
        web_text("ports: [{port: 81}]"),
        web_text("ports: [{port: 80, name: a}]"),
        web_text("ports: [{port: 80, targetPort: 80}]"),
        web_text("ports: [{port: 80, targetPort: http}]"),
        web_text("ports: [{port: 80, name: a}, {port: 81, name: b}]"),
        web_text("ports: [{port: 81, name: b}, {port: 80, name: a}]"),
        web_text("ports: [{port: 80}], selector: {}"),
        web_text("ports: [{port: 80}], selector: {a: b}"),
        web_text("ports: [{port: 80}], selector: {b: a}"),
        web_text("ports: [{port: 80}], selector: {c: b}"),
        web_text("ports: [{port: 80}], selector: {a: \"\"}"),
        web_text("ports: [{port: 80}], selector: {ab: c}"),
        web_text("ports: [{port: 80}], selector: {a: bc}"),
        web_text("ports: [{port: 80}], selector: {a: b, c: d}"),
        web_text("ports: [{port: 80}], publishNotReadyAddresses: true"),
        web_text("ports: [{port: 80}], publishNotReadyAddresses: false"),
        web_text("ports: [{port: 80}], externalIPs: [192.0.2.1, 192.0.2.2]"),
        web_text("ports: [{port: 80}], externalIPs: [192.0.2.2, 192.0.2.1]"),
        web_text("ports: [{port: 80}], trafficDistribution: PreferClose"),
    };
    std::set<std::uint64_t> prints;
    for (const auto& text : variants) {
        auto decoded = from_yaml(text);
        EXPECT_EQ(problems(decoded), "") << text;
        EXPECT_TRUE(prints.insert(print_of(decoded)).second) << text;
    }
}

// Returns the fingerprint of a tree that is no object.
std::uint64_t print_of_tree(const std::string& text) {
    decode::Document document;
    decode::parse_yaml(text, document);
    EXPECT_THAT(document.roots, SizeIs(1)) << text;
    return document.roots.empty() ? 0 : decode::fingerprint(document.roots.front());
}

TEST(Fingerprint, KnowsTheShapeOfATree) {
    std::set<std::uint64_t> prints;
    const std::vector<std::string> shapes{"[]",
                                          "{}",
                                          "\"\"",
                                          "[[]]",
                                          "[{}]",
                                          "[[], []]",
                                          "[a]",
                                          "[[a]]",
                                          "[a, b]",
                                          "[[a], b]",
                                          "[[a, b]]",
                                          "[a, [b]]",
                                          "{a: b}",
                                          "{a: [b]}",
                                          "{a: {b: c}}",
                                          "{a: {b: }, c: }",
                                          "{a: {b: , c: }}",
                                          "80",
                                          "\"80\"",
                                          "true",
                                          "\"true\"",
                                          "[null]",
                                          "[\"null\"]",
                                          "[ab]"};
    for (const auto& shape : shapes) EXPECT_TRUE(prints.insert(print_of_tree(shape)).second) << shape;
}

TEST(Fingerprint, OfAnAliasIsThatOfWhatItNames) {
    EXPECT_EQ(print_of_tree("{a: &x {c: 1}, b: *x}"), print_of_tree("{a: {c: 1}, b: {c: 1}}"));
}

}  // namespace
}  // namespace weir::model::test
