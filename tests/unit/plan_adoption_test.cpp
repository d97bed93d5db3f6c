// SPDX-License-Identifier: Apache-2.0
// A starting agent takes over the maps of an earlier one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "loader/plan/layout.hpp"
#include "tests/unit/plan_maps.hpp"

namespace weir::plan::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Capacity large{.frontends = 100, .services = 100, .backends = 100, .slot_lines = 1000};

std::vector<ServicePlan> three() {
    auto two_sets = plan_of("c", {"10.0.0.5", "10.0.0.6"}, "10.96.0.3");
    two_sets.ports[0].sets.push_back(backends({"10.0.0.6"}));
    two_sets.ports[0].frontends[0].external = {.action = abi::SCOPE_BALANCE, .set = 1};
    return {plan_of("a", {"10.0.0.1", "10.0.0.2", "10.0.0.3"}, "10.96.0.1"), plan_of("b", {}, "10.96.0.2"), two_sets};
}

class Adoption : public testing::Test {
protected:
    Adoption() : kernel(large) {
        for (const auto& plan : three()) kernel.update(plan);
    }
    Kernel kernel;
};

TEST_F(Adoption, WritesNothingWhereNothingHasChanged) {
    auto before = kernel.layout().usage();
    EXPECT_TRUE(kernel.restart(kernel.contents(), three()).empty());
    auto after = kernel.layout().usage();
    EXPECT_EQ(after.slot_lines, before.slot_lines);
    EXPECT_EQ(after.backends, before.backends);
    EXPECT_TRUE(kernel.update(three()[0]).empty()) << "the new agent goes on as if it had always run";
}

TEST_F(Adoption, WritesOnlyWhatChangedMeanwhile) {
    auto plans = three();
    plans[0] = plan_of("a", {"10.0.0.1", "10.0.0.3", "10.0.0.4"}, "10.96.0.1");
    auto changes = kernel.restart(kernel.contents(), plans);
    EXPECT_THAT(changes.backends_on, SizeIs(1));
    EXPECT_THAT(changes.backends_off, ElementsAre(2u));
    EXPECT_THAT(changes.services_on, IsEmpty());
    EXPECT_THAT(changes.frontends_on, SizeIs(1));
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.3:8080 10.0.0.4:8080");
}

TEST_F(Adoption, DropsWhatNoPlanClaims) {
    auto plans = three();
    plans.erase(plans.begin());
    auto changes = kernel.restart(kernel.contents(), plans);
    EXPECT_THAT(changes.frontends_off, SizeIs(1));
    EXPECT_THAT(changes.services_off, ElementsAre(1u));
    EXPECT_THAT(changes.backends_off, SizeIs(3));
    EXPECT_EQ(kernel.contents().frontends.size(), 2u);
}

TEST_F(Adoption, WithoutTheSlotsEveryRangeIsWrittenAnew) {
    auto contents = kernel.contents();
    contents.slots.clear();
    auto changes = kernel.restart(contents, three());
    EXPECT_THAT(changes.frontends_on, SizeIs(2)) << "the frontend that rejects has no range";
    EXPECT_THAT(changes.backends_on, IsEmpty());
}

TEST_F(Adoption, ATableThatDiffersIsReplaced) {
    auto contents = kernel.contents();
    auto range = kernel.frontend("10.96.0.1").cluster;
    std::swap(contents.slots[range.offset / 16].backend_id[0], contents.slots[range.offset / 16].backend_id[1]);
    auto& line = contents.slots[range.offset / 16];
    line.backend_id[2] = line.backend_id[2] % 3 + 1;
    kernel.load(contents);
    auto changes = kernel.restart(contents, three());
    EXPECT_THAT(changes.frontends_on, SizeIs(1));
    EXPECT_NE(kernel.frontend("10.96.0.1").cluster.offset, range.offset);
}

TEST_F(Adoption, OverlappingAndOutlyingRangesAreRewritten) {
    auto contents = kernel.contents();
    for (auto& [key, value] : contents.frontends) {
        if (value.cluster.length > 211) value.cluster = {.offset = 0xfffffff0, .length = 0xffffffff};
        if (value.cluster.length == 211) value.cluster.offset = 16;
    }
    kernel.expect_valid(false);
    kernel.load(contents);
    kernel.restart(contents, three());
    EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080");
    EXPECT_EQ(kernel.backends_of("10.96.0.3"), "10.0.0.5:8080 10.0.0.6:8080");
}

TEST_F(Adoption, StrayEntriesAreRemoved) {
    auto contents = kernel.contents();
    abi::service_name twin{}, nonsense{};
    std::strcpy(twin.name, "ns/a:http");
    std::memset(nonsense.name, 'x', sizeof(nonsense.name));
    contents.services.emplace_back(50, twin);
    contents.services.emplace_back(51, nonsense);
    contents.services.emplace_back(4000, twin);
    contents.backends.emplace_back(60, backend_entry(backends({"10.0.0.1"})[0], model::Protocol::tcp, 77));
    contents.backends.emplace_back(61, backend_entry(backends({"10.0.0.1"})[0], model::Protocol::tcp, 1));
    contents.frontends.emplace_back(frontend_key(address("10.96.0.66"), 80, model::Protocol::tcp),
                                    abi::frontend{.cluster = {},
                                                  .external = {},
                                                  .service_id = 77,
                                                  .kind = 1,
                                                  .cluster_action = 1,
                                                  .external_action = 1,
                                                  .pad = 0});
    kernel.expect_valid(false);
    kernel.load(contents);
    auto changes = kernel.restart(contents, three());
    EXPECT_THAT(changes.services_off, testing::UnorderedElementsAre(50u, 51u, 4000u));
    EXPECT_THAT(changes.backends_off, testing::UnorderedElementsAre(60u, 61u));
    EXPECT_THAT(changes.frontends_off, SizeIs(1));
    EXPECT_THAT(changes.frontends_on, IsEmpty());
    kernel.expect_valid(true);
    EXPECT_TRUE(kernel.restart(kernel.contents(), three()).empty());
}

// Whatever the maps held, the plan is then in force, and a second restart changes nothing.
TEST_F(Adoption, AnyContentsEndInThePlan) {
    std::mt19937 random(11);
    auto healthy = kernel.contents();
    for (int round = 0; round < 300; ++round) {
        auto contents = healthy;
        auto scramble = [&](auto& entries) {
            for (auto& [key, value] : entries) {
                auto bytes = reinterpret_cast<unsigned char*>(&value);
                if (random() % 3 == 0) bytes[random() % sizeof(value)] = static_cast<unsigned char>(random());
            }
        };
        scramble(contents.backends);
        std::erase_if(contents.backends, [](const auto& entry) { return !(entry.second.flags & abi::BACKEND_IN_USE); });
        scramble(contents.services);
        scramble(contents.frontends);
        for (int i = 0; i < 3; ++i) contents.slots[random() % 60].backend_id[random() % 16] = random() % 200;
        kernel.expect_valid(false);
        kernel.load(contents);
        kernel.restart(contents, three());
        EXPECT_EQ(kernel.backends_of("10.96.0.1"), "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080");
        EXPECT_EQ(kernel.backends_of("10.96.0.3"), "10.0.0.5:8080 10.0.0.6:8080");
        EXPECT_EQ(kernel.contents().frontends.size(), 3u);
        kernel.expect_valid(true);
        EXPECT_TRUE(kernel.restart(kernel.contents(), three()).empty());
    }
}

// Random plans, restarts and grace periods: every state is valid (CheckedMaps).
TEST(LayoutLife, EveryStateIsValid) {
    constexpr Capacity tight{.frontends = 8, .services = 8, .backends = 24, .slot_lines = 260};
    std::mt19937 random(5);
    Kernel kernel(tight);
    std::map<std::string, ServicePlan> plans;
    for (int step = 0; step < 1000; ++step) {
        auto name = "s" + std::to_string(random() % 6);
        std::set<std::string> addresses;
        for (auto n = random() % 5; n > 0; --n) addresses.insert("10.0.0." + std::to_string(1 + random() % 8));
        BackendSet sorted = backends({addresses.begin(), addresses.end()});
        auto plan = random() % 8 == 0 ? gone(name)
                                      : plan_of(name, {addresses.begin(), addresses.end()}, "10.96.0." + name.substr(1),
                                                static_cast<std::uint16_t>(80 + random() % 2));
        std::vector<model::Problem> problems;
        kernel.update(plan, &problems);
        if (problems.empty() && !plan.ports.empty()) {
            const auto& frontend = plan.ports[0].frontends[0];
            EXPECT_EQ(kernel.backends_of(frontend.address.to_string(), frontend.port), text(sorted));
        }
        if (random() % 3 == 0) kernel.layout().grace_period_passed();
        if (problems.empty()) plans[name] = plan;
        if (random() % 50 == 0) {
            std::vector<ServicePlan> all;
            for (const auto& [n, p] : plans) all.push_back(p);
            EXPECT_TRUE(kernel.restart(kernel.contents(), all).empty());
        }
        if (testing::Test::HasFailure()) break;
    }
}

}  // namespace
}  // namespace weir::plan::test
