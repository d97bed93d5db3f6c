// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/slot_writer.hpp"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "loader/plan/maglev.hpp"
#include "loader/plan/table.hpp"

namespace weir::apply {
namespace {

constexpr std::uint32_t all_lines = 20'000;
constexpr std::uint32_t untouched = 4711;

maps::SlotMap make_map(std::uint32_t flags) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    maps::SlotMap map(maps::Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "slots", sizeof(std::uint32_t),
                                              sizeof(abi::slot_line), all_lines, &options)));
    std::vector<std::uint32_t> keys;
    std::vector<abi::slot_line> lines(all_lines);
    for (auto& line : lines) {
        keys.push_back(static_cast<std::uint32_t>(keys.size()));
        std::ranges::fill(line.backend_id, untouched);
    }
    EXPECT_FALSE(map.update_all(keys, lines).second);
    return map;
}

plan::SlotTable table_of(std::uint32_t first_line, std::uint32_t backends) {
    plan::SlotTable table{.range = {.offset = first_line * abi::SLOTS_PER_LINE, .length = plan::maglev_size(backends)},
                          .set = {},
                          .ids = {}};
    for (std::uint32_t i = 0; i < backends; ++i) {
        table.set.push_back({.address = model::Address::from_ipv4(0x0a000001 + i), .port = 8080});
        table.ids.push_back(1000 + 3 * i);
    }
    return table;
}

std::vector<std::uint32_t> content(const maps::SlotMap& map) {
    std::vector<std::uint32_t> slots;
    EXPECT_FALSE(map.for_each([&](auto, const auto& line) {
        slots.insert(slots.end(), std::begin(line.backend_id), std::end(line.backend_id));
    }));
    return slots;
}

class SlotWriter : public testing::TestWithParam<std::uint32_t> {};

TEST_P(SlotWriter, WritesItsRangesAndNothingElse) {
    auto map = make_map(GetParam());
    // Adjacent tables, one alone on its page, one larger than a batch of lines, and one that ends with the map.
    const auto last = all_lines - plan::lines_of(plan::maglev_size(2));
    std::vector<plan::SlotTable> tables = {table_of(3, 2), table_of(17, 1), table_of(18, 50), table_of(5000, 1000),
                                           table_of(last, 2)};
    std::vector<std::uint32_t> expected(std::size_t{all_lines} * abi::SLOTS_PER_LINE, untouched);
    for (const auto& table : tables) {
        auto slots = plan::id_table(table.set, table.ids);
        slots.resize(std::size_t{plan::lines_of(table.range.length)} * abi::SLOTS_PER_LINE, 0);
        std::ranges::copy(slots, expected.begin() + table.range.offset);
    }
    ASSERT_FALSE(write_tables(map, tables));
    EXPECT_EQ(content(map), expected);
}

TEST_P(SlotWriter, ATableBeyondTheEndIsAnErrorAfterThoseBeforeIt) {
    auto map = make_map(GetParam());
    std::vector<plan::SlotTable> tables = {table_of(0, 1)};
    ASSERT_FALSE(write_tables(map, tables));
    tables = {table_of(1, 1), table_of(all_lines - 1, 2)};
    EXPECT_EQ(write_tables(map, tables).value(), E2BIG);
    EXPECT_EQ(map.lookup(1)->backend_id[0], 1000u);
    EXPECT_EQ(map.lookup(2)->backend_id[0], untouched);
}

// The second is a map as earlier agents made it.
INSTANTIATE_TEST_SUITE_P(Maps, SlotWriter, testing::Values(BPF_F_MMAPABLE, 0u),
                         [](const auto& info) { return info.param == BPF_F_MMAPABLE ? "Mapped" : "InBatches"; });

}  // namespace
}  // namespace weir::apply
