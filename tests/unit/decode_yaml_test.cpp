// SPDX-License-Identifier: Apache-2.0
// YAML as a text: documents, anchors, bounds, and the lines of errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/decode/document.hpp"
#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Returns the only problem of a text that does not parse.
std::string malformed(std::string_view text) {
    auto decoded = from_yaml(text);
    EXPECT_TRUE(decoded.malformed);
    EXPECT_TRUE(decoded.objects.empty());
    EXPECT_EQ(decoded.problems.size(), 1u);
    return problems(decoded);
}

std::vector<int> lines(const decode::Decoded& decoded) {
    std::vector<int> out;
    for (const auto& object : decoded.objects) out.push_back(std::get<Service>(object).origin.line);
    return out;
}

std::string block(std::string_view name) {
    return fmt::format("apiVersion: v1\nkind: Service\nmetadata:\n  name: {}\nspec:\n  ports:\n  - port: 80\n", name);
}

TEST(YamlDocuments, EachIsAnObjectAtItsLine) {
    auto decoded =
        from_yaml(block("a") + "---\n" + block("b") + "---\n# only a comment\n---\n\n" + block("c") + "...\n");
    EXPECT_EQ(problems(decoded), "");
    EXPECT_EQ(names(decoded), "default/a default/b default/c");
    EXPECT_THAT(lines(decoded), ElementsAre(1, 9, 20));
}

TEST(YamlDocuments, NothingIsNotAnError) {
    for (auto text : {"", "\n\n", "# a comment\n", "---\n", "---\n---\n...\n", "~\n", "null"}) {
        auto decoded = from_yaml(text);
        EXPECT_EQ(problems(decoded), "") << text;
        EXPECT_FALSE(decoded.malformed) << text;
        EXPECT_TRUE(decoded.objects.empty()) << text;
    }
}

TEST(YamlDocuments, ABadOneLeavesNoneInForce) {
    EXPECT_THAT(malformed(block("a") + "---\nspec: [\n"), StartsWith("error f.yaml:"));
    EXPECT_THAT(malformed("spec: [\n---\n" + block("a")), StartsWith("error f.yaml:"));
}

TEST(YamlDocuments, SomethingElseThanAnObject) {
    auto decoded = from_yaml("- a\n---\njust text\n---\n" + block("a"));
    EXPECT_EQ(problems(decoded),
              "error f.yaml:1: a list stands where a Kubernetes object should; use a map with apiVersion, kind and "
              "metadata\n"
              "error f.yaml:3: \"just text\" stands where a Kubernetes object should; use a map with apiVersion, kind "
              "and metadata\n");
    EXPECT_EQ(names(decoded), "default/a");
}

TEST(YamlAnchors, ShareWhatTheyName) {
    auto service = web_service("selector: &labels {app: web}, ports: &p [&http {port: 80, name: http}]");
    EXPECT_EQ(service.selector, (Labels{{"app", "web"}}));
    service =
        only<Service>(from_yaml("apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: &l {app: web}}\n"
                                "spec:\n  selector: *l\n  ports: [{port: &number 80, targetPort: *number}]\n"));
    EXPECT_EQ(service.selector, (Labels{{"app", "web"}}));
    EXPECT_EQ(service.ports.at(0).target_port, TargetPort(std::uint16_t{80}));
}

TEST(YamlAnchors, LastTheirDocumentOnly) {
    EXPECT_EQ(malformed("a: &x 1\n---\nb: *x\n"),
              "error f.yaml:3: is not valid YAML: the referenced anchor is not defined\n");
}

TEST(YamlAnchors, NeverContainThemselves) {
    EXPECT_EQ(malformed("a: 1\nb: &x [1, *x]\n"), "error f.yaml:2: has an alias inside what it stands for\n");
}

TEST(YamlAnchors, BombsAreDefused) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        bomb += fmt::format("a{}: &a{} [", i, i);
        for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j ? ", " : "", i - 1);
        bomb += "]\n";
    }
    EXPECT_EQ(malformed(bomb), "error f.yaml:6: says more by aliases than weir takes; write it out\n");
}

TEST(YamlMerge, OwnKeysWinInAnyOrder) {
    auto port = [](std::string_view item) {
        auto service = only<Service>(
            from_yaml(fmt::format("apiVersion: v1\nkind: Service\n"
                                  "metadata: {{name: web, annotations: &base {{name: merged, protocol: UDP}}}}\n"
                                  "spec: {{ports: [{{{}}}]}}\n",
                                  item)));
        return service.ports.empty() ? ServicePort() : service.ports.front();
    };
    EXPECT_EQ(port("<<: *base, port: 80, name: own").name, "own");
    EXPECT_EQ(port("<<: *base, port: 80, name: own").protocol, Protocol::udp);
    EXPECT_EQ(port("name: own, port: 80, <<: *base").name, "own");
    EXPECT_EQ(port("port: 80, <<: [{name: first}, *base]").name, "first") << "the first of several maps wins";
}

TEST(YamlMerge, OnlyMaps) {
    EXPECT_EQ(malformed("a: 1\nb: {<<: [1]}\n"), "error f.yaml:2: merges (<<) something that is not a map\n");
    auto decoded = web("ports: [{port: 80}], selector: {\"<<\": x}");
    EXPECT_EQ(only<Service>(decoded).selector, (Labels{{"<<", "x"}})) << "in quotes it is an ordinary key";
}

TEST(YamlKeys, TwiceIsAnErrorOfTheObject) {
    auto decoded = from_yaml(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: 80\n"
        "    port: 81\n---\n" +
        block("b"));
    EXPECT_EQ(problems(decoded), "error f.yaml:7: Service default/web: spec.ports[0].port: is given twice; keep one\n");
    EXPECT_EQ(names(decoded), "default/b");
}

TEST(YamlKeys, AreScalars) {
    EXPECT_THAT(malformed("a: 1\n? [a]\n: b\n"), EndsWith(":2: has a list or a map as the key of a map\n"));
    EXPECT_THAT(malformed("{{a: b}: c}\n"), EndsWith(":1: has a list or a map as the key of a map\n"));
}

std::string nested(int depth) {
    return std::string(depth, '[') + "x" + std::string(depth, ']');
}

TEST(YamlDepth, IsBounded) {
    decode::Document fits, deep;
    auto at_most = nested(decode::max_depth);
    decode::parse_yaml(at_most, fits);
    EXPECT_EQ(fits.failure, "");
    auto more = nested(decode::max_depth + 1);
    decode::parse_yaml(more, deep);
    EXPECT_EQ(deep.failure, "is nested more than 100 levels deep");
    EXPECT_TRUE(deep.roots.empty());
}

TEST(YamlDepth, InEveryStyle) {
    std::string maps, lists;
    for (int i = 0; i < 20'000; ++i) lists += "- ";
    for (int i = 0; i < 200; ++i) maps += std::string(i, ' ') + "a:\n";
    EXPECT_THAT(malformed("\n\n" + nested(20'000)), HasSubstr("f.yaml:3: is nested more than 100 levels deep"));
    EXPECT_THAT(malformed(lists + "x"), HasSubstr("f.yaml:1: is nested more than 100 levels deep"));
    EXPECT_THAT(malformed(maps), HasSubstr("f.yaml:101: is nested more than 100 levels deep"));
}

TEST(YamlText, ByteOrderMarkIsNoPartOfIt) {
    auto decoded = from_yaml("\xef\xbb\xbf" + block("a"));
    EXPECT_EQ(problems(decoded), "");
    EXPECT_THAT(lines(decoded), ElementsAre(1));
}

TEST(YamlText, LinesMayEndLikeThoseOfDos) {
    std::string dos;
    for (char c : "---\n" + block("a") + "  - port: 70000\n    name: x\n")
        dos += c == '\n' ? "\r\n" : std::string(1, c);
    EXPECT_EQ(problems(from_yaml(dos)),
              "error f.yaml:8: Service default/a: spec.ports[0].name: is missing; each port of a Service with several "
              "needs a name\n"
              "error f.yaml:9: Service default/a: spec.ports[1].port: 70000 is not a port; use 1 to 65535\n");
}

TEST(YamlText, IsUtf8) {
    EXPECT_EQ(malformed("a: 1\nb: \"\xff\"\n"), "error f.yaml:2: is not valid UTF-8\n");
    EXPECT_EQ(malformed("a: 1\n\nb: \xc3"), "error f.yaml:3: is not valid UTF-8\n") << "cut in the middle of a letter";
    EXPECT_EQ(malformed("\xff\xfe"
                        "a"),
              "error f.yaml:1: is not valid UTF-8\n")
        << "UTF-16";
    EXPECT_EQ(malformed("a: \xc0\xaf"), "error f.yaml:1: is not valid UTF-8\n") << "an overlong '/'";
    EXPECT_EQ(malformed(std::string_view("a: 1\nb: x\0y\n", 12)),
              "error f.yaml:2: is not valid YAML: a NUL byte stands here\n");
    auto service = web_service("ports: [{port: 80}], selector: {app: gr\xc3\xbc\xc3\x9f}");
    EXPECT_EQ(service.selector.at("app"), "gr\xc3\xbc\xc3\x9f");
}

TEST(YamlErrors, SayWhere) {
    EXPECT_EQ(malformed("a: 1\nb: c: d\n"), "error f.yaml:2: is not valid YAML: illegal map value\n");
    EXPECT_EQ(malformed("a: 1\n\n]\n"), "error f.yaml:3: is not valid YAML: illegal flow end\n");
    EXPECT_THAT(malformed("a:\n\t- b\n"), StartsWith("error f.yaml:2: is not valid YAML: "));
    EXPECT_EQ(malformed("a: 1\nb: \"c"), "error f.yaml:2: is not valid YAML: illegal EOF in scalar\n");
    EXPECT_EQ(malformed("a: [1, 2"), "error f.yaml:1: is not valid YAML: end of sequence flow not found\n");
}

TEST(YamlErrors, ACommaDoesNotStartADocument) {
    EXPECT_EQ(malformed(", a\n"), "error f.yaml:1: is not valid YAML: a document does not start so\n");
    EXPECT_EQ(malformed("a: 1\n---\n, b\n"), "error f.yaml:3: is not valid YAML: a document does not start so\n");
    EXPECT_EQ(malformed("\"a\", b\n"), "error f.yaml:1: is not valid YAML: a document does not start so\n");
}

TEST(YamlErrors, ArePrintable) {
    EXPECT_EQ(malformed("%YAML 1.\x1b[2J\n---\na: 1\n"),
              "error f.yaml:1: is not valid YAML: bad YAML version: 1.?[2J\n");
}

TEST(YamlErrors, OfFieldsSayTheirLineBehindBlockScalars) {
    EXPECT_EQ(problems(from_yaml("apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations:\n    note: |\n"
                                 "      one\n\n      two\n    more: >-\n      three\n      four\nspec:\n  ports:\n"
                                 "  - port: 0\n")),
              "error f.yaml:15: Service default/web: spec.ports[0].port: 0 is not a port; use 1 to 65535\n");
}

TEST(YamlScalars, QuotesMakeText) {
    EXPECT_EQ(web_service("ports: [{port: 80}], selector: {a: \"80\", b: 'true', c: \"\"}").selector,
              (Labels{{"a", "80"}, {"b", "true"}, {"c", ""}}));
    EXPECT_THAT(problems(web("ports: [{port: \"80\"}]")),
                HasSubstr("\"80\" is text, not a port; use 1 to 65535 without quotes"));
    EXPECT_THAT(problems(web("ports: [{port: 80}], selector: {version: 1.10}")),
                HasSubstr("spec.selector.version: 1.10 is a number, not text; put it in quotes"));
    EXPECT_THAT(problems(web("ports: [{port: 80}], selector: {debug: no}")),
                HasSubstr("spec.selector.debug: no is a boolean, not text; put it in quotes"));
}

TEST(YamlScalars, TagsDecide) {
    auto service = web_service("ports: [{port: !!int \"80\"}], selector: {version: !!str 110}");
    EXPECT_EQ(service.ports.at(0).port, 80);
    EXPECT_EQ(service.selector.at("version"), "110");
    EXPECT_THAT(problems(web("ports: [{port: 80}], publishNotReadyAddresses: !!bool maybe")),
                HasSubstr("is not a boolean"));
}

TEST(YamlScalars, ExplicitNullIsAbsence) {
    auto service = web_service("ports: [{port: 80, name: null, targetPort: ~}], selector: null, clusterIP: ");
    EXPECT_EQ(service.ports.at(0).name, "");
    EXPECT_TRUE(service.selector.empty());
}

}  // namespace
}  // namespace weir::model::test
