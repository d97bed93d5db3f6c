// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/eligibility.hpp"

#include <gtest/gtest.h>

#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {
namespace {

struct Case {
    std::string name;
    std::vector<At> endpoints;
    std::string cluster;
    std::string local;
};

class Eligibility : public testing::TestWithParam<Case> {};

TEST_P(Eligibility, Sets) {
    const auto& c = GetParam();
    auto sets = eligible({slice("web", c.endpoints)}, port("http", 80), model::Family::ipv4, node());
    EXPECT_EQ(text(sets.cluster), c.cluster);
    EXPECT_EQ(text(sets.local), c.local);
}

constexpr auto ready = State::ready;
constexpr auto not_ready = State::not_ready;
constexpr auto draining = State::draining;
constexpr auto gone = State::gone;

INSTANTIATE_TEST_SUITE_P(
    Conditions, Eligibility,
    testing::Values(
        Case{"none", {}, "", ""},
        Case{"ready", {{"10.0.0.2"}, {"10.0.0.1", "here"}}, "10.0.0.1:8080 10.0.0.2:8080", "10.0.0.1:8080"},
        Case{"not_ready_is_out", {{"10.0.0.1"}, {"10.0.0.2", "here", not_ready}}, "10.0.0.1:8080", ""},
        Case{"draining_is_out_while_others_are_ready",
             {{"10.0.0.1", "here"}, {"10.0.0.2", "here", draining}},
             "10.0.0.1:8080",
             "10.0.0.1:8080"},
        Case{"draining_is_better_than_nothing",
             {{"10.0.0.1", "here", draining}, {"10.0.0.2", "other", draining}, {"10.0.0.3", "here", gone}},
             "10.0.0.1:8080 10.0.0.2:8080",
             "10.0.0.1:8080"},
        Case{"fallback_is_decided_per_set",
             {{"10.0.0.1", "here", draining}, {"10.0.0.2", "other", ready}},
             "10.0.0.2:8080",
             "10.0.0.1:8080"},
        Case{"terminating_without_serving_is_no_fallback",
             {{"10.0.0.1", "here", gone}, {"10.0.0.2", "other", not_ready}},
             "",
             ""},
        Case{"duplicates_count_once", {{"10.0.0.1"}, {"10.0.0.1"}}, "10.0.0.1:8080", ""},
        Case{"a_duplicate_is_ready_if_either_is", {{"10.0.0.1", "other", draining}, {"10.0.0.1"}}, "10.0.0.1:8080", ""},
        Case{"a_duplicate_is_local_if_either_is",
             {{"10.0.0.1", "here"}, {"10.0.0.1", ""}},
             "10.0.0.1:8080",
             "10.0.0.1:8080"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Topology, Eligibility,
    testing::Values(
        Case{"zone",
             {{"10.0.0.1", "other", ready, {"a"}},
              {"10.0.0.2", "other", ready, {"b"}},
              {"10.0.0.3", "other", ready, {"b", "a"}}},
             "10.0.0.1:8080 10.0.0.3:8080",
             ""},
        Case{"one_without_a_hint_switches_it_off",
             {{"10.0.0.1", "other", ready, {"a"}}, {"10.0.0.2", "other", ready, {"b"}}, {"10.0.0.3"}},
             "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080",
             ""},
        Case{"no_hint_names_our_zone",
             {{"10.0.0.1", "other", ready, {"b"}}, {"10.0.0.2", "other", ready, {"c"}}},
             "10.0.0.1:8080 10.0.0.2:8080",
             ""},
        Case{"nodes_win_over_zones",
             {{"10.0.0.1", "here", ready, {"a"}, {"here"}}, {"10.0.0.2", "other", ready, {"a"}, {"other"}}},
             "10.0.0.1:8080",
             "10.0.0.1:8080"},
        Case{"zones_where_no_node_hint_names_us",
             {{"10.0.0.1", "other", ready, {"a"}, {"other"}}, {"10.0.0.2", "other", ready, {"b"}, {"third"}}},
             "10.0.0.1:8080",
             ""},
        Case{"zones_where_one_lacks_a_node_hint",
             {{"10.0.0.1", "here", ready, {"a"}, {"here"}},
              {"10.0.0.2", "other", ready, {"a"}},
              {"10.0.0.3", "other", ready, {"b"}, {"x"}}},
             "10.0.0.1:8080 10.0.0.2:8080",
             "10.0.0.1:8080"},
        Case{"hints_of_endpoints_that_are_not_ready_do_not_count",
             {{"10.0.0.1", "other", ready, {"a"}}, {"10.0.0.2", "other", not_ready}, {"10.0.0.3", "other", draining}},
             "10.0.0.1:8080",
             ""},
        Case{"the_local_set_knows_no_topology",
             {{"10.0.0.1", "here", ready, {"b"}}, {"10.0.0.2", "other", ready, {"a"}}},
             "10.0.0.2:8080",
             "10.0.0.1:8080"},
        Case{"the_fallback_knows_no_topology",
             {{"10.0.0.1", "other", draining, {"a"}}, {"10.0.0.2", "other", draining, {"b"}}},
             "10.0.0.1:8080 10.0.0.2:8080",
             ""}),
    [](const auto& info) { return info.param.name; });

TEST(EligibilityPorts, MatchedByNameAndProtocol) {
    auto web = slice("web", {{"10.0.0.1"}},
                     {{"http", model::Protocol::tcp, 8080},
                      {"dns", model::Protocol::udp, 5353},
                      {"dns", model::Protocol::tcp, 5454},
                      {"", model::Protocol::tcp, 9},
                      {"none", model::Protocol::tcp, std::nullopt}});
    auto dialled = [&](const model::ServicePort& p) {
        return text(eligible({web}, p, model::Family::ipv4, node()).cluster);
    };
    EXPECT_EQ(dialled(port("http", 80)), "10.0.0.1:8080");
    EXPECT_EQ(dialled(port("dns", 53, model::Protocol::udp)), "10.0.0.1:5353");
    EXPECT_EQ(dialled(port("dns", 53)), "10.0.0.1:5454");
    EXPECT_EQ(dialled(port("", 80)), "10.0.0.1:9");
    EXPECT_EQ(dialled(port("none", 80)), "");
    EXPECT_EQ(dialled(port("other", 8080)), "");
}

TEST(EligibilitySlices, UnionOfTheFamily) {
    auto fqdn = slice("web", {{"10.0.0.9"}}, {{"http", model::Protocol::tcp, 8080}}, "4");
    fqdn.fqdn = true;
    auto mixed = slice("web", {{"fd00::2"}, {"10.0.0.8"}}, {{"http", model::Protocol::tcp, 8080}}, "5");
    std::vector slices{slice("web", {{"10.0.0.3"}}, {{"http", model::Protocol::tcp, 1}}, "1"),
                       slice("web", {{"10.0.0.1"}, {"10.0.0.3"}}, {{"http", model::Protocol::tcp, 8080}}, "2"),
                       slice("web", {{"fd00::1"}}, {{"http", model::Protocol::tcp, 8080}}, "3"), fqdn, mixed};
    EXPECT_EQ(text(eligible(slices, port("http", 80), model::Family::ipv4, node()).cluster),
              "10.0.0.1:8080 10.0.0.3:1 10.0.0.3:8080");
    EXPECT_EQ(text(eligible(slices, port("http", 80), model::Family::ipv6, node()).cluster),
              "[fd00::1]:8080 [fd00::2]:8080");
}

TEST(EligibilitySlices, AnUnnamedNodeHasNothingLocal) {
    auto nobody = node();
    nobody.name.clear();
    EXPECT_TRUE(
        eligible({slice("web", {{"10.0.0.1", ""}})}, port("http", 80), model::Family::ipv4, nobody).local.empty());
}

}  // namespace
}  // namespace weir::plan::test
