// SPDX-License-Identifier: Apache-2.0
// Bad input: every problem names the place, the object, the mistake and the remedy; other objects are unaffected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/decode_fixture.hpp"

namespace weir::model::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

struct Bad {
    std::string_view name;
    std::string_view text;     // a manifest
    std::string_view problem;  // its one problem, without "error f.yaml:"
};
class BadObject : public testing::TestWithParam<Bad> {};

TEST_P(BadObject, IsNamedAndHarmsNoOther) {
    const auto& bad = GetParam();
    auto alone = from_yaml(bad.text);
    EXPECT_EQ(problems(alone), fmt::format("error f.yaml:{}\n", bad.problem));
    EXPECT_TRUE(alone.objects.empty());
    EXPECT_FALSE(alone.malformed);
    auto among_others =
        from_yaml(fmt::format("{}\n---\n{}\n---\n{}", bad.text, small_service("ok"), small_service("fine")));
    EXPECT_EQ(names(among_others), "default/ok default/fine");
    EXPECT_THAT(among_others.problems, SizeIs(1));
    EXPECT_THAT(among_others.fingerprints, SizeIs(2));
}

INSTANTIATE_TEST_SUITE_P(
    Service, BadObject,
    testing::Values(
        Bad{"no_metadata", "apiVersion: v1\nkind: Service\nspec: {}",
            "1: Service: metadata: is missing; every object needs a metadata.name"},
        Bad{"no_name", "apiVersion: v1\nkind: Service\nmetadata:\n  namespace: ns",
            "4: Service: metadata.name: is missing; every object needs a name"},
        Bad{"name_is_a_number", "apiVersion: v1\nkind: Service\nmetadata:\n  name: 7",
            "4: Service: metadata.name: 7 is a number, not text; put it in quotes"},
        Bad{"name_in_capitals", "apiVersion: v1\nkind: Service\nmetadata: {name: Web}",
            "3: Service: metadata.name: \"Web\" is not a valid name; use at most 63 lower-case letters, digits and "
            "'-', with a letter "
            "first and a letter or digit last"},
        Bad{"bad_namespace", "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: a/b}",
            "3: Service: metadata.namespace: \"a/b\" is not a valid name; use at most 63 lower-case letters, digits "
            "and '-', with a "
            "letter or digit first and last"},
        Bad{"no_spec", "apiVersion: v1\nkind: Service\nmetadata: {name: web}",
            "1: Service default/web: spec: is missing; a Service needs one with ports"},
        Bad{"spec_is_a_list", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n- port: 80",
            "5: Service default/web: spec: a list is written here; use a map"},
        Bad{"ports_is_a_map", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n    port: 80",
            "6: Service default/web: spec.ports: a map is written here; use a list"},
        Bad{"port_is_a_number", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - 80",
            "6: Service default/web: spec.ports[0]: a number is written here; use a map"},
        Bad{"port_70000",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - name: a\n    port: 70000",
            "7: Service default/web: spec.ports[0].port: 70000 is not a port; use 1 to 65535"},
        Bad{"port_0", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: 0",
            "6: Service default/web: spec.ports[0].port: 0 is not a port; use 1 to 65535"},
        Bad{"label_is_a_map",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {a: {}}}\nspec: {ports: [{port: 1}]}",
            "3: Service default/web: metadata.labels.a: a map is written here; use text"},
        Bad{"status_is_text",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 1}]}\nstatus: ok",
            "5: Service default/web: status: text is written here; use a map"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Others, BadObject,
    testing::Values(
        Bad{"slice_of_the_wrong_family",
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: "
            "{kubernetes.io/service-name: web}}\n"
            "addressType: IPv6\nendpoints:\n- addresses:\n  - 10.0.0.1",
            "7: EndpointSlice default/web-1: endpoints[0].addresses[0]: \"10.0.0.1\" is not an IPv6 address, as "
            "addressType says; use a "
            "slice per family"},
        Bad{"endpoints_without_ip",
            "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\nsubsets:\n- addresses:\n  - hostname: a",
            "6: Endpoints default/web: subsets[0].addresses[0].ip: is missing; an endpoint needs an address"},
        Bad{"pod_whose_status_is_a_list", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: []",
            "4: Pod default/a: status: a list is written here; use a map"},
        Bad{"node_whose_address_is_none",
            "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus:\n  addresses:\n  - {type: InternalIP, address: "
            "10.0.0.256}",
            "6: Node n1: status.addresses[0].address: \"10.0.0.256\" is not an IP address"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Problems, SeveralOfOneObjectAreAllNamed) {
    auto decoded = web("type: Foo, ports: [{port: 0, targetPort: 70000}], sessionAffinity: Yes");
    EXPECT_EQ(problems(decoded),
              "error f.yaml:4: Service ns/web: spec.type: \"Foo\" is unknown; use ClusterIP, NodePort, LoadBalancer, "
              "ExternalName\n"
              "error f.yaml:4: Service ns/web: spec.ports[0].port: 0 is not a port; use 1 to 65535\n"
              "error f.yaml:4: Service ns/web: spec.ports[0].targetPort: 70000 is not a port; use 1 to 65535\n"
              "error f.yaml:4: Service ns/web: spec.sessionAffinity: Yes is a boolean, not text; put it in quotes\n");
}

TEST(Problems, AFloodOfThemIsCutShort) {
    std::string bad;
    for (int i = 0; i < 1000; ++i) bad += fmt::format("{{name: a{}, port: 0}}, ", i);
    auto decoded = web(fmt::format("ports: [{}]", bad));
    EXPECT_THAT(decoded.problems, SizeIs(20));
    EXPECT_EQ(decoded.problems.back().what, "has more problems, which are not shown");
    auto fresh =
        from_yaml(fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{ports: [{}]}}\n---\n"
                              "apiVersion: v1\nkind: Service\nmetadata: {{name: b}}\n",
                              bad));
    EXPECT_EQ(fresh.problems.back().object, "Service default/b") << "the next object's problems are shown again";
}

TEST(Problems, AFloodOfNamelessObjectsIsCutShortToo) {
    std::string items;
    for (int i = 0; i < 1000; ++i) items += "- 5\n";
    EXPECT_THAT(from_yaml("apiVersion: v1\nkind: List\nitems:\n" + items).problems, SizeIs(100));
}

TEST(Problems, ShowValuesShortAndPrintable) {
    EXPECT_THAT(problems(web("ports: [{port: 80}], type: \"a\\nb\\x1b[31m\\\"\"")),
                HasSubstr("spec.type: \"a\\nb\\x1b[31m\\\"\" is unknown"));
    auto text = problems(web(fmt::format("ports: [{{port: 80}}], type: {}", std::string(10'000, 'x'))));
    EXPECT_THAT(text, HasSubstr("spec.type: \"" + std::string(60, 'x') + "\"... is unknown"));
    std::string umlauts = "x";
    for (int i = 0; i < 100; ++i) umlauts += "\xc3\xa4";
    EXPECT_THAT(problems(web(fmt::format("ports: [{{port: 80}}], type: {}", umlauts))),
                HasSubstr("\xc3\xa4\"... is unknown"))
        << "no letter is cut in two";
}

TEST(Problems, AsOneLine) {
    auto line = [](const Origin& origin, const std::string& object, const std::string& what) {
        Problem problem;
        problem.origin = origin;
        problem.object = object;
        problem.what = what;
        return problem.to_string();
    };
    EXPECT_EQ(line({"a.yaml", 3}, "Service ns/web", "spec: is missing"), "a.yaml:3: Service ns/web: spec: is missing");
    EXPECT_EQ(line({"a.yaml", 0}, "", "cannot be read"), "a.yaml: cannot be read");
    EXPECT_EQ(line({}, "Service ns/web", "x"), "Service ns/web: x") << "from the API";
}

TEST(UnknownFields, AreWarnedAboutAndTheObjectIsUsed) {
    auto decoded =
        web("ports: [{port: 80, nodeport: 30000}], selectors: {app: web}, externalTraficPolicy: Local, replicas: 3");
    EXPECT_EQ(problems(decoded),
              "warning f.yaml:4: Service ns/web: spec.selectors: is not a field of Kubernetes here, and is ignored; "
              "did you mean selector?\n"
              "warning f.yaml:4: Service ns/web: spec.externalTraficPolicy: is not a field of Kubernetes here, and is "
              "ignored; did you mean "
              "externalTrafficPolicy?\n"
              "warning f.yaml:4: Service ns/web: spec.replicas: is not a field of Kubernetes here, and is ignored\n"
              "warning f.yaml:4: Service ns/web: spec.ports[0].nodeport: is not a field of Kubernetes here, and is "
              "ignored; did you mean nodePort?\n");
    EXPECT_EQ(names(decoded), "ns/web");
    EXPECT_TRUE(decoded.refused.empty());
}

TEST(UnknownFields, AtEveryLevel) {
    auto warned = [](std::string_view text) { return problems(from_yaml(text)); };
    EXPECT_THAT(warned("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspecs: {}\nspec: {ports: [{port: 1}]}"),
                StartsWith("warning f.yaml:4: Service default/a: specs: is not a field of Kubernetes here, and is "
                           "ignored; did you mean spec?"));
    EXPECT_THAT(warned("apiVersion: v1\nkind: Service\nmetadata: {name: a, lables: {}}\nspec: {ports: [{port: 1}]}"),
                HasSubstr("metadata.lables: is not a field of Kubernetes here, and is ignored; did you mean labels?"));
    EXPECT_THAT(warned("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, labels: "
                       "{kubernetes.io/service-name: a}}\n"
                       "addressType: IPv4\nendpoints: [{adresses: [], addresses: [10.0.0.1], conditions: {redy: true}, "
                       "hints: {forZone: []}}]"),
                AllOf(HasSubstr("did you mean addresses?"), HasSubstr("did you mean ready?"),
                      HasSubstr("did you mean forZones?")));
    EXPECT_THAT(warned("apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubset: []"),
                HasSubstr("did you mean subsets?"));
}

TEST(UnknownFields, TheFieldsOfApiServersAreKnown) {
    EXPECT_EQ(problems(from_yaml(
                  "apiVersion: v1\nkind: Service\nmetadata: {name: a, uid: x, resourceVersion: \"1\", generation: 1,\n"
                  "  creationTimestamp: null, ownerReferences: [], finalizers: [], managedFields: [{manager: x}]}\n"
                  "spec: {ports: [{port: 1}]}\nstatus: {loadBalancer: {}, conditions: []}")),
              "");
}

TEST(DuplicateKeys, InMapsOfEverySize) {
    std::string many;
    for (int i = 0; i < 40; ++i) many += fmt::format("k{}: x, ", i);
    EXPECT_EQ(problems(web("ports: [{port: 80}], selector: {a: x, b: x, a: z}")),
              "error f.yaml:4: Service ns/web: spec.selector.a: is given twice; keep one\n");
    EXPECT_THAT(problems(web(fmt::format("ports: [{{port: 80}}], selector: {{{}}}", many))), Not(HasSubstr("twice")));
    EXPECT_THAT(problems(web(fmt::format("ports: [{{port: 80}}], selector: {{{} k7: z}}", many))),
                HasSubstr("spec.selector[\"k7\"]: is given twice"));
}

}  // namespace
}  // namespace weir::model::test
