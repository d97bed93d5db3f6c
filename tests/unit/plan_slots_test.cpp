// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/slots.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "loader/plan/ids.hpp"

namespace weir::plan {
namespace {

TEST(SlotAllocator, TakesTheSmallestRangeThatIsLargeEnough) {
    SlotAllocator slots(100);
    EXPECT_EQ(slots.take(10), 0u);
    EXPECT_EQ(slots.take(5), 10u);
    EXPECT_EQ(slots.take(20), 15u);
    slots.give_back(10, 5);
    EXPECT_EQ(slots.take(4), 10u) << "the hole that fits, not the large rest";
    EXPECT_EQ(slots.take(66), std::nullopt);
    EXPECT_EQ(slots.take(65), 35u);
    EXPECT_EQ(slots.used(), 99u);
    EXPECT_EQ(slots.take(0), std::nullopt);
}

TEST(SlotAllocator, NeighboursGrowTogether) {
    SlotAllocator slots(30);
    for (auto first : {0u, 10u, 20u}) EXPECT_EQ(slots.take(10), first);
    slots.give_back(0, 10);
    slots.give_back(20, 10);
    EXPECT_EQ(slots.take(11), std::nullopt);
    slots.give_back(10, 10);
    EXPECT_EQ(slots.take(30), 0u);
}

TEST(SlotAllocator, WhatIsRetiredWaitsForTwoGracePeriods) {
    SlotAllocator slots(10);
    EXPECT_EQ(slots.take(10), 0u);
    slots.retire(0, 10);
    EXPECT_FALSE(slots.grace_period_passed());
    EXPECT_EQ(slots.take(1), std::nullopt);
    EXPECT_EQ(slots.used(), 10u);
    EXPECT_TRUE(slots.grace_period_passed());
    EXPECT_EQ(slots.used(), 0u);
    EXPECT_EQ(slots.take(10), 0u);
}

TEST(SlotAllocator, ClaimsOnlyWhatIsFree) {
    SlotAllocator slots(100);
    EXPECT_TRUE(slots.claim(10, 10));
    EXPECT_FALSE(slots.claim(10, 10));
    EXPECT_FALSE(slots.claim(5, 6));
    EXPECT_FALSE(slots.claim(19, 1));
    EXPECT_FALSE(slots.claim(95, 6)) << "beyond the end";
    EXPECT_FALSE(slots.claim(0xffffffff, 0xffffffff));
    EXPECT_FALSE(slots.claim(0, 0));
    EXPECT_TRUE(slots.claim(20, 80));
    EXPECT_TRUE(slots.claim(0, 10));
    EXPECT_EQ(slots.used(), 100u);
    EXPECT_FALSE(SlotAllocator(0).take(1));
}

// Compares the allocator with a plain array of owners.
TEST(SlotAllocator, AgreesWithASimpleModel) {
    constexpr std::uint32_t lines = 600;
    std::mt19937 random(7);
    SlotAllocator slots(lines);
    std::vector<int> owner(lines, 0);  // 0: free
    struct Range {
        std::uint32_t first, length;
    };
    std::vector<Range> live;
    std::deque<std::vector<Range>> retired(2);
    auto longest_hole = [&] {
        std::uint32_t best = 0, run = 0;
        for (int o : owner) best = std::max(best, run = o ? 0 : run + 1);
        return best;
    };
    auto set = [&](const Range& range, int value) {
        for (auto i = range.first; i < range.first + range.length; ++i) {
            ASSERT_NE(owner[i] != 0, value != 0) << "line " << i;
            owner[i] = value;
        }
    };
    for (int step = 0; step < 20000; ++step) {
        auto choice = random() % 10;
        std::uint32_t length = 1 + random() % 40;
        if (choice < 5) {
            auto first = slots.take(length);
            ASSERT_EQ(first.has_value(), longest_hole() >= length);
            if (first) {
                set({*first, length}, 1);
                live.push_back({*first, length});
            }
        } else if (choice == 5) {
            std::uint32_t first = random() % lines;
            bool free = first + length <= lines && std::all_of(owner.begin() + first, owner.begin() + first + length,
                                                               [](int o) { return o == 0; });
            ASSERT_EQ(slots.claim(first, length), free);
            if (free) {
                set({first, length}, 1);
                live.push_back({first, length});
            }
        } else if (choice < 9 && !live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            if (choice == 6) {
                slots.give_back(live.back().first, live.back().length);
                set(live.back(), 0);
            } else {
                slots.retire(live.back().first, live.back().length);
                retired.back().push_back(live.back());
            }
            live.pop_back();
        } else {
            slots.grace_period_passed();
            for (const auto& range : retired.front()) set(range, 0);
            retired.pop_front();
            retired.emplace_back();
        }
        ASSERT_EQ(slots.used(), static_cast<std::uint32_t>(std::ranges::count(owner, 1)));
    }
}

TEST(IdPool, GivesTheLowestFreeId) {
    IdPool ids(130);
    for (std::uint32_t id = 1; id <= 130; ++id) EXPECT_EQ(ids.take(), id);
    EXPECT_EQ(ids.take(), std::nullopt);
    EXPECT_EQ(ids.available(), 0u);
    ids.retire(70);
    ids.retire(3);
    EXPECT_TRUE(ids.grace_period_passed().empty());
    EXPECT_EQ(ids.take(), std::nullopt);
    EXPECT_EQ(ids.grace_period_passed().size(), 2u);
    EXPECT_EQ(ids.take(), 3u);
    EXPECT_EQ(ids.take(), 70u);
}

TEST(IdPool, ARevivedIdIsNotFreed) {
    IdPool ids(2);
    EXPECT_EQ(ids.take(), 1u);
    ids.retire(1);
    ids.revive(1);
    ids.grace_period_passed();
    EXPECT_TRUE(ids.grace_period_passed().empty());
    EXPECT_EQ(ids.take(), 2u);
    EXPECT_EQ(ids.used(), 2u);
}

TEST(IdPool, ClaimsOnlyWhatThereIs) {
    IdPool ids(5);
    EXPECT_FALSE(ids.claim(0));
    EXPECT_FALSE(ids.claim(6));
    EXPECT_TRUE(ids.claim(2));
    EXPECT_FALSE(ids.claim(2));
    EXPECT_EQ(ids.take(), 1u);
    EXPECT_EQ(ids.take(), 3u);
    EXPECT_FALSE(IdPool(0).take());
}

}  // namespace
}  // namespace weir::plan
