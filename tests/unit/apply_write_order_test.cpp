// SPDX-License-Identifier: Apache-2.0
// The order of writing: the maps are valid after each step, and any other order breaks this.
#include "loader/apply/write_order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/fakes/checked_maps.hpp"
#include "tests/fakes/faulty_writer.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::apply {
namespace {

using fakes::CheckedMaps;
using fakes::FaultyWriter;
using plan::test::address;
using plan::test::cidr;
using plan::test::gone;
using plan::test::plan_of;
using testing::IsEmpty;
using testing::Not;

constexpr plan::Capacity capacity{
    .frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000, .source_ranges = 10};

// A load balancer's Service that lets one range in.
plan::ServicePlan restricted(const std::string& name, const std::vector<std::string>& backends, const std::string& at) {
    auto out = plan_of(name, backends, at);
    auto& port = out.ports[0];
    port.frontends[0].external = port.frontends[0].cluster;
    port.frontends[0].restricted = true;
    port.source_ranges = {cidr("10.0.0.0/8")};
    return out;
}

// Together these plans give every step something to write, in every combination of adding, changing and removing.
std::vector<plan::MapChanges> history() {
    plan::Layout layout(capacity);
    std::vector<plan::MapChanges> out;
    auto update = [&](const std::vector<plan::ServicePlan>& plans) {
        out.emplace_back();
        for (const auto& plan : plans) EXPECT_THAT(layout.update(plan, out.back()), IsEmpty());
    };
    update({restricted("web", {"10.0.0.1", "10.0.0.2"}, "192.0.2.1")});
    update({restricted("web", {"10.0.0.2", "10.0.0.3"}, "192.0.2.1")});
    update({restricted("web", {"10.0.0.2", "10.0.0.3"}, "192.0.2.2")});
    update({gone("web"), restricted("other", {"10.0.0.4"}, "192.0.2.3")});
    return out;
}

std::vector<std::string> violations_of(std::span<const Step> order) {
    CheckedMaps maps(capacity);
    for (const auto& changes : history())
        for (const auto& step : order) EXPECT_TRUE(step.write(maps, changes));
    return maps.violations();
}

std::size_t place_of(std::string_view step) {
    auto order = write_order();
    return static_cast<std::size_t>(std::ranges::find(order, step, &Step::name) - order.begin());
}

TEST(WriteOrder, EveryStateIsValid) {
    CheckedMaps maps(capacity);
    for (const auto& changes : history()) {
        ASSERT_TRUE(write(maps, changes));
        EXPECT_THAT(maps.faults_at_rest(), IsEmpty());
    }
    EXPECT_THAT(maps.violations(), IsEmpty());
}

struct Before {
    std::string_view first, second;
};
class Misordered : public testing::TestWithParam<Before> {};

// Tests each reason for the order: the checks notice a step that runs right after the one that must follow it.
TEST_P(Misordered, IsSeen) {
    std::vector<Step> order(write_order().begin(), write_order().end());
    auto first = place_of(GetParam().first), second = place_of(GetParam().second);
    ASSERT_LT(first, second);
    ASSERT_LT(second, order.size());
    auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
    std::rotate(begin, begin + 1, order.begin() + static_cast<std::ptrdiff_t>(second) + 1);
    EXPECT_THAT(violations_of(order), Not(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(
    Steps, Misordered,
    testing::Values(Before{"backends on", "slots"}, Before{"service names", "frontends on"},
                    Before{"slots", "frontends on"}, Before{"source ranges on", "frontends on"},
                    Before{"frontends on", "VIPs on"}, Before{"VIPs on", "frontends off"},
                    Before{"frontends off", "VIPs off"}, Before{"frontends off", "source ranges off"},
                    Before{"frontends off", "service names off"}, Before{"frontends off", "backends off"},
                    Before{"source ranges off", "service names off"}, Before{"frontends on", "backends off"}),
    [](const auto& info) {
        std::string name(info.param.first);
        name.append(" before ").append(info.param.second);
        std::erase_if(name, [](char c) { return c == ' '; });
        return name;
    });

TEST(WriteOrder, NothingFollowsAFailure) {
    const auto changes = history().back();
    for (std::size_t failing = 0; failing < write_order().size(); ++failing) {
        CheckedMaps maps(capacity);
        maps.expect_valid(false);
        FaultyWriter faulty(maps, [&](std::size_t call, std::size_t) {
            return call == failing ? std::optional<std::size_t>(0) : std::nullopt;
        });
        EXPECT_FALSE(write(faulty, changes));
        EXPECT_EQ(faulty.calls(), failing + 1);
    }
}

TEST(WriteOrder, NothingToWriteIsNoCall) {
    CheckedMaps maps(capacity);
    FaultyWriter counted(maps, [](std::size_t, std::size_t) { return std::nullopt; });
    EXPECT_TRUE(write(counted, {}));
    EXPECT_EQ(counted.calls(), 0u);
}

TEST(WriteOrder, IsTheOneThatTheDocsTell) {
    std::ifstream file(WEIR_SOURCE_DIR "/docs/concepts.md");
    std::string docs(std::istreambuf_iterator<char>(file), {});
    auto section = docs.find("\n### Write order\n");
    ASSERT_NE(section, std::string::npos);
    std::istringstream words(docs.substr(section, docs.find("\n## ", section) - section));
    std::string told;
    for (std::string word; words >> word;) told += word + " ";
    std::string steps;
    for (std::size_t i = 0; i < write_order().size(); ++i)
        steps += (i ? ", " : "") + std::to_string(i + 1) + ". " + std::string(write_order()[i].name);
    EXPECT_NE(told.find(steps + "."), std::string::npos) << "concepts.md does not say: " << steps;
}

}  // namespace
}  // namespace weir::apply
