// SPDX-License-Identifier: Apache-2.0
// The objects of a text: lists, kinds, versions, skipped kinds, and objects that are left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string list_of(std::string_view version, std::string_view kind, const std::vector<std::string>& items) {
    auto out = fmt::format(
        "{{\"apiVersion\": \"{}\", \"kind\": \"{}\", \"metadata\": {{\"resourceVersion\": \"7\"}}, \"items\": [",
        version, kind);
    for (std::size_t i = 0; i < items.size(); ++i) out += (i ? ",\n" : "\n") + items[i];
    return out + "\n]}";
}

const std::string bare_item = R"({"metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}})";

// Decodes the text in both formats, which must give the same except for the name of the file.
decode::Decoded both(const std::string& text) {
    auto json = from_json(text), yaml = from_yaml(text);
    auto said = problems(yaml);
    for (std::size_t at; (at = said.find("f.yaml")) != std::string::npos;) said.replace(at, 6, "f.json");
    EXPECT_EQ(problems(json), said);
    EXPECT_EQ(names(json), names(yaml));
    EXPECT_EQ(json.skipped, yaml.skipped);
    return json;
}

TEST(List, OfAnything) {
    auto decoded =
        both(list_of("v1", "List",
                     {small_service("a"), R"({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})",
                      R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}})"}));
    EXPECT_EQ(problems(decoded), "");
    EXPECT_EQ(names(decoded), "default/a n1 ns/p");
    EXPECT_THAT(decoded.fingerprints, SizeIs(3));
    EXPECT_EQ(origin_of(decoded.objects[0]).line, 2);
    EXPECT_EQ(origin_of(decoded.objects[2]).line, 4);
}

TEST(List, OfOneKindNeedsNoKindInItsItems) {
    EXPECT_EQ(names(both(list_of("v1", "ServiceList", {bare_item, small_service("full")}))),
              "default/bare default/full");
    EXPECT_EQ(names(both(list_of("v1", "NodeList", {R"({"metadata": {"name": "n1"}})"}))), "n1");
    EXPECT_EQ(names(both(list_of("v1", "PodList", {R"({"metadata": {"name": "p"}})"}))), "default/p");
    EXPECT_EQ(names(both(list_of("v1", "EndpointsList", {R"({"metadata": {"name": "e"}})"}))), "default/e");
    auto slices = both(list_of(
        "discovery.k8s.io/v1", "EndpointSliceList",
        {R"({"metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "a"}}, "addressType": "IPv4"})"}));
    EXPECT_EQ(problems(slices), "");
    EXPECT_EQ(names(slices), "default/s");
}

TEST(List, OfAnythingNeedsKindsInItsItems) {
    auto decoded = both(list_of("v1", "List", {bare_item, small_service("a")}));
    EXPECT_EQ(problems(decoded), "error f.json:2: items[0].kind: is missing; say which kind of object this is\n");
    EXPECT_EQ(names(decoded), "default/a");
}

TEST(List, MayBeEmptyOrNested) {
    for (auto items : {"[]", "null"}) {
        auto decoded = both(fmt::format("{{\"apiVersion\": \"v1\", \"kind\": \"ServiceList\", \"items\": {}}}", items));
        EXPECT_EQ(problems(decoded), "");
        EXPECT_THAT(decoded.objects, IsEmpty());
    }
    EXPECT_EQ(names(both(list_of("v1", "List", {list_of("v1", "List", {small_service("a")}), small_service("b")}))),
              "default/a default/b");
}

TEST(List, BadItemsHarmNoOthers) {
    auto decoded = both(
        list_of("v1", "List", {"null", "5", "[]", R"({"apiVersion": "v1", "kind": "Service"})", small_service("a")}));
    EXPECT_EQ(names(decoded), "default/a");
    EXPECT_EQ(problems(decoded),
              "error f.json:2: items[0]: nothing stands where a Kubernetes object should; use a map with apiVersion, "
              "kind and metadata\n"
              "error f.json:3: items[1]: 5 stands where a Kubernetes object should; use a map with apiVersion, kind "
              "and metadata\n"
              "error f.json:4: items[2]: a list stands where a Kubernetes object should; use a map with apiVersion, "
              "kind and metadata\n"
              "error f.json:5: Service: items[3].metadata: is missing; every object needs a metadata.name\n");
}

TEST(List, ItemsAreAListAndStandOnce) {
    EXPECT_EQ(problems(both(R"({"apiVersion": "v1", "kind": "List", "items": {}})")),
              "error f.json:1: items: a map is written here; use a list\n");
    auto decoded = both(R"({"apiVersion": "v1", "kind": "List", "items": [], "items": []})");
    EXPECT_EQ(problems(decoded), "error f.json:1: items: is given twice; keep one\n");
}

TEST(Kinds, OthersAreSkippedAndNamedOnce) {
    auto decoded = from_yaml(
        "apiVersion: apps/v1\nkind: Deployment\n---\n" + small_service("a") +
        "\n---\napiVersion: apps/v1\nkind: Deployment\nspec: nonsense\n---\napiVersion: v1\nkind: ConfigMapList\n"
        "---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n");
    EXPECT_EQ(problems(decoded), "");
    EXPECT_EQ(names(decoded), "default/a");
    EXPECT_THAT(decoded.skipped, ElementsAre("Deployment", "ConfigMapList", "Service (serving.knative.dev/v1)"));
}

TEST(Kinds, AreNamed) {
    EXPECT_EQ(problems(from_yaml("apiVersion: v1\nmetadata: {name: a}\n")),
              "error f.yaml:1: kind: is missing; say which kind of object this is\n");
    EXPECT_EQ(problems(from_yaml("\nkind: Service\nmetadata: {name: a}\n")),
              "error f.yaml:2: apiVersion: is missing; v1 is a Service's, for example\n");
    EXPECT_THAT(problems(from_yaml("apiVersion: v1\nkind: [Service]\n")),
                HasSubstr("f.yaml:2: kind: a list is written here; use text"));
    EXPECT_THAT(problems(from_yaml("apiVersion: 1\nkind: Service\n")),
                HasSubstr("f.yaml:1: apiVersion: 1 is a number, not text"));
}

TEST(Kinds, WithoutLettersAreNone) {
    EXPECT_EQ(problems(from_yaml("apiVersion: v1\nkind: \"\"\n")),
              "error f.yaml:2: kind: is missing; say which kind of object this is\n");
    EXPECT_EQ(problems(from_yaml("apiVersion: \"\"\nkind: Service\n")),
              "error f.yaml:1: apiVersion: is missing; v1 is a Service's, for example\n");
    auto item = R"({"apiVersion": "", "kind": "", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})";
    EXPECT_EQ(names(both(list_of("v1", "ServiceList", {item}))), "default/a");
}

TEST(Kinds, ThatAreSkippedFloodNoLog) {
    EXPECT_THAT(from_yaml("apiVersion: v1\nkind: \"A\\e[2J\\nB\"\n").skipped, ElementsAre("\"A\\x1b[2J\\nB\""));
    EXPECT_THAT(from_yaml("apiVersion: \"x/\\a\"\nkind: Pod\n").skipped, ElementsAre("\"Pod (x/\\x07)\""));
    EXPECT_THAT(from_yaml("apiVersion: v1\nkind: " + std::string(10'000, 'A') + "\n").skipped,
                ElementsAre("\"" + std::string(60, 'A') + "\"..."));
    std::string many;
    for (int i = 0; i < 3000; ++i) many += fmt::format("---\n{{apiVersion: v1, kind: K{}}}\n", i);
    EXPECT_THAT(from_yaml(many).skipped, SizeIs(1000));
}

struct Versioned {
    std::string_view kind, given, wanted;
};
class WrongVersion : public testing::TestWithParam<Versioned> {};

TEST_P(WrongVersion, IsAnErrorThatNamesTheRightOne) {
    auto [kind, given, wanted] = GetParam();
    auto decoded = from_yaml(
        fmt::format("kind: {}\nmetadata: {{name: a}}\napiVersion: {}\n---\n{}", kind, given, small_service("ok")));
    EXPECT_THAT(problems(decoded), HasSubstr(fmt::format("apiVersion: \"{}\" is not read; use {}\n", given, wanted)));
    EXPECT_THAT(problems(decoded), HasSubstr(fmt::format("error f.yaml:3: {} ", kind)));
    EXPECT_EQ(names(decoded), "default/ok");
}

INSTANTIATE_TEST_SUITE_P(Each, WrongVersion,
                         testing::Values(Versioned{"Service", "v2", "v1"}, Versioned{"Pod", "v1beta1", "v1"},
                                         Versioned{"Node", "V1", "v1"}, Versioned{"Endpoints", "v1alpha1", "v1"},
                                         Versioned{"EndpointSlice", "discovery.k8s.io/v1beta1",
                                                   "discovery.k8s.io/v1"}));

TEST(Duplicates, TheFirstIsUsed) {
    auto decoded = from_yaml("---\n" + small_service("a") + "\n---\n" + small_service("b") + "\n---\n" +
                             small_service("a") + "\n");
    EXPECT_EQ(problems(decoded),
              "error f.yaml:6: Service default/a: is given twice in this file; the first, in line 2, is used\n");
    EXPECT_EQ(names(decoded), "default/a default/b");
}

TEST(Duplicates, AreThoseOfKindNamespaceAndName) {
    auto pod = [](std::string_view name_space) {
        return fmt::format(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": \"a\", \"namespace\": \"{}\"}}}}",
            name_space);
    };
    EXPECT_EQ(problems(both(list_of("v1", "List", {small_service("a"), pod("x"), pod("y")}))), "");
    auto decoded = both(
        list_of("v1", "List", {pod("default"), R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})"}));
    EXPECT_THAT(problems(decoded), HasSubstr("f.json:3: Pod default/a: items[1]: is given twice"))
        << "an object without a namespace is in `default`";
}

TEST(Identity, OfEachKind) {
    auto identity = [](std::string_view text) {
        auto decoded = from_yaml(text);
        return decoded.objects.empty() ? Identity() : identity_of(decoded.objects.front());
    };
    EXPECT_EQ(identity(small_service("a")), (Identity{Kind::service, {"default", "a"}}));
    EXPECT_EQ(identity("{apiVersion: v1, kind: Endpoints, metadata: {name: a}}"),
              (Identity{Kind::endpoints, {"default", "a"}}));
    EXPECT_EQ(identity("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a, namespace: x}, "
                       "addressType: IPv4}"),
              (Identity{Kind::endpoint_slice, {"x", "a"}}));
    EXPECT_EQ(identity("{apiVersion: v1, kind: Pod, metadata: {name: a}}"), (Identity{Kind::pod, {"default", "a"}}));
    EXPECT_EQ(identity("{apiVersion: v1, kind: Node, metadata: {name: a}}"), (Identity{Kind::node, {"", "a"}}));
}

TEST(Refused, ObjectsWhoseNamesCouldBeTold) {
    auto decoded = both(list_of(
        "v1", "List",
        {R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"ports": [{"port": 0}]}})",
         small_service("good"), R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad"}})",
         R"({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": []})"}));
    EXPECT_THAT(decoded.refused,
                ElementsAre(Identity{Kind::service, {"default", "bad"}}, Identity{Kind::node, {"", "n1"}}));
    EXPECT_EQ(names(decoded), "default/good");
}

}  // namespace
}  // namespace weir::model::test
