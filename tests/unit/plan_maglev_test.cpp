// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/maglev.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "loader/plan/hash.hpp"
#include "tests/unit/plan_fixture.hpp"

namespace weir::plan {
namespace {

BackendSet many(std::uint32_t count) {
    BackendSet set;
    for (std::uint32_t i = 0; i < count; ++i)
        set.push_back({.address = model::Address::from_ipv4(0x0a000001 + i), .port = 8080});
    return set;
}

std::vector<std::uint32_t> shares(const std::vector<std::uint32_t>& table, std::size_t backends) {
    std::vector<std::uint32_t> count(backends, 0);
    for (auto backend : table) ++count.at(backend);
    return count;
}

// Builds the table step by step, as in the paper.
std::vector<std::uint32_t> plain_table(const BackendSet& backends) {
    const std::uint32_t size = maglev_size(backends.size());
    std::vector<std::uint64_t> next, skip;
    for (const auto& backend : backends) {
        auto hash = [&](std::uint64_t seed) { return combine(hash_bytes(backend.address.bytes, seed), backend.port); };
        next.push_back(hash(1) % size);
        skip.push_back(hash(2) % (size - 1) + 1);
    }
    constexpr std::uint32_t nobody = ~0u;
    std::vector<std::uint32_t> table(size, nobody);
    for (std::uint32_t turn = 0; turn < size; ++turn) {
        auto backend = turn % backends.size();
        while (table[next[backend]] != nobody) next[backend] = (next[backend] + skip[backend]) % size;
        table[next[backend]] = static_cast<std::uint32_t>(backend);
    }
    return table;
}

TEST(MaglevSize, IsAPrimeThatStepsWithPowersOfTwo) {
    struct Case {
        std::size_t backends;
        std::uint32_t size;
    };
    for (auto [backends, size] : {Case{0, 0}, Case{1, 1}, Case{2, 211}, Case{3, 401}, Case{4, 401}, Case{5, 809},
                                  Case{8, 809}, Case{1000, 102407}, Case{1311, 131071}, Case{200000, 131071}})
        EXPECT_EQ(maglev_size(backends), size) << backends << " backends";
}

TEST(MaglevSize, GivesEveryBackendAtLeastAHundredSlotsUpToTheBound) {
    for (std::uint32_t backends = 2; backends <= 1310; ++backends) {
        auto size = maglev_size(backends);
        EXPECT_GE(size, 100 * backends);
        for (std::uint32_t divisor = 2; divisor * divisor <= size; ++divisor) ASSERT_NE(size % divisor, 0u) << size;
    }
}

TEST(Maglev, NoneAndOne) {
    EXPECT_TRUE(maglev_table({}).empty());
    EXPECT_EQ(maglev_table(many(1)), std::vector<std::uint32_t>{0});
}

// The paper's 1,000 backends (section 5.3), and our own ranges: shares differ by one slot at most.
TEST(Maglev, SharesAreEven) {
    for (std::uint32_t backends : {2u, 3u, 10u, 50u, 1000u, 1310u}) {
        auto count = shares(maglev_table(many(backends)), backends);
        auto [least, most] = std::ranges::minmax(count);
        EXPECT_LE(most - least, 1u) << backends << " backends";
        EXPECT_LE(static_cast<double>(most) / least, 1.011) << backends << " backends";
    }
}

TEST(Maglev, MoreBackendsThanSlotsFillTheTable) {
    auto table = maglev_table(many(140000));
    EXPECT_EQ(table.size(), 131071u);
    EXPECT_EQ(std::ranges::max(shares(table, 140000)), 1u);
}

TEST(Maglev, ABackendThatLeavesMovesFewOthers) {
    for (std::uint32_t backends : {4u, 10u, 50u, 1000u}) {
        auto before = many(backends);
        for (std::size_t gone : {std::size_t{0}, std::size_t{backends / 2}}) {
            auto after = before;
            after.erase(after.begin() + static_cast<std::ptrdiff_t>(gone));
            if (maglev_size(after.size()) != maglev_size(before.size())) continue;
            auto old_table = maglev_table(before), new_table = maglev_table(after);
            std::size_t moved = 0;
            for (std::size_t slot = 0; slot < old_table.size(); ++slot) {
                if (old_table[slot] != gone && before[old_table[slot]] != after[new_table[slot]]) ++moved;
            }
            // The paper measures about 3 % for tables of 100 slots a backend; small tables scatter more.
            EXPECT_LT(static_cast<double>(moved) / static_cast<double>(old_table.size()), 0.08)
                << backends << " backends without number " << gone;
        }
    }
}

// All nodes must compute the same tables. A change of these values moves connections, so it needs a strong reason.
TEST(Maglev, IsTheSameOnEveryMachine) {
    auto table = maglev_table(test::backends({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
    std::string head;
    for (std::size_t slot = 0; slot < 32; ++slot) head += std::to_string(table[slot]);
    EXPECT_EQ(head, "22110212012021021102202122110210");
    EXPECT_EQ(table, maglev_table(test::backends({"10.0.0.1", "10.0.0.2", "10.0.0.3"})));
}

TEST(Maglev, IsWhatThePlainAlgorithmGives) {
    for (std::uint32_t backends : {2u, 7u, 16u, 31u, 50u, 64u, 100u, 1000u, 1310u, 20000u, 140000u})
        EXPECT_TRUE(maglev_table(many(backends)) == plain_table(many(backends))) << backends << " backends";
}

TEST(Maglev, PortsAndFamiliesMatter) {
    auto set = test::backends({"10.0.0.1", "10.0.0.2", "fd00::1"});
    auto others = test::backends({"10.0.0.1", "10.0.0.2", "fd00::1"}, 8081);
    EXPECT_NE(maglev_table(set), maglev_table(others));
}

}  // namespace
}  // namespace weir::plan
