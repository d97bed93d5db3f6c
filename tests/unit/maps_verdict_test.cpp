// SPDX-License-Identifier: Apache-2.0
// Verdicts: each belongs to one group, has a name that begins with it, and has its own counter at every hook.
#include "maps/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
namespace {

std::vector<abi::verdict> every_verdict() {
    std::vector<abi::verdict> out;
    for (std::uint32_t i = 0; i < abi::VERDICT_COUNT; ++i) out.push_back(static_cast<abi::verdict>(i));
    return out;
}

std::vector<abi::hook> every_hook() {
    std::vector<abi::hook> out;
    for (std::uint32_t i = 0; i < abi::HOOK_COUNT; ++i) out.push_back(static_cast<abi::hook>(i));
    return out;
}

abi::verdict_group group_of_name(std::string_view name) {
    auto begins = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (begins("pass_")) return abi::GROUP_UNTOUCHED;
    if (begins("echo_") || begins("reject_") || begins("answer_")) return abi::GROUP_ANSWERED;
    if (begins("drop_")) return abi::GROUP_DROPPED;
    EXPECT_TRUE(begins("deliver") || begins("forward") || begins("reply_")) << name;
    return abi::GROUP_REWRITTEN;
}

TEST(Verdict, IsOfTheGroupThatItsNameSays) {
    for (auto verdict : every_verdict()) {
        auto name = maps::verdict_name(verdict).name;
        EXPECT_EQ(abi::group_of_verdict(verdict), group_of_name(name)) << name;
    }
}

TEST(Verdict, IsOfOneGroup) {
    for (auto verdict : every_verdict())
        EXPECT_EQ(abi::verdict_is_untouched(verdict) + abi::verdict_is_rewritten(verdict) +
                      abi::verdict_is_answered(verdict) + abi::verdict_is_dropped(verdict),
                  1)
            << maps::verdict_name(verdict).name;
}

TEST(Verdict, NoVerdictSendsNothingOn) {
    EXPECT_TRUE(abi::verdict_is_dropped(abi::VERDICT_COUNT));
}

TEST(Verdict, HasANameOfItsOwnAndSoHasAHook) {
    std::set<std::string_view> names;
    for (auto verdict : every_verdict()) names.insert(maps::verdict_name(verdict).name);
    EXPECT_EQ(names.size(), std::size_t{abi::VERDICT_COUNT});
    EXPECT_FALSE(names.contains("unknown"));
    std::vector<std::string_view> hooks;
    for (auto hook : every_hook()) hooks.push_back(maps::hook_name(hook));
    EXPECT_THAT(hooks, testing::ElementsAre("xdp", "tc_ingress_uplink", "tc_ingress_workload", "tc_egress", "socket"));
}

TEST(Verdict, HasACounterOfItsOwnAtEveryHook) {
    std::set<std::uint32_t> keys;
    for (auto hook : every_hook())
        for (auto verdict : every_verdict()) keys.insert(abi::verdict_key(hook, verdict));
    EXPECT_EQ(keys.size(), std::size_t{abi::HOOK_COUNT} * abi::VERDICT_COUNT);
    EXPECT_LT(*keys.rbegin(), std::uint32_t{abi::VERDICT_KEYS});
    // docs/reference/maps.md tells users to compute keys like this.
    EXPECT_EQ(abi::verdict_key(abi::HOOK_XDP, abi::VERDICT_PASS_TO_TC), 6u);
    EXPECT_EQ(abi::verdict_key(abi::HOOK_EGRESS, abi::VERDICT_REPLY_DELIVER), 309u);
}

}  // namespace
}  // namespace weir
