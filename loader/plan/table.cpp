// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/table.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "loader/plan/hash.hpp"
#include "loader/plan/maglev.hpp"

namespace weir::plan {

std::uint32_t lines_of(std::uint32_t slots) {
    return slots / abi::SLOTS_PER_LINE + (slots % abi::SLOTS_PER_LINE != 0 ? 1 : 0);
}

std::vector<std::uint32_t> id_table(const BackendSet& set, const std::vector<std::uint32_t>& ids) {
    auto table = maglev_table(set);
    for (auto& slot : table) slot = ids[slot];
    return table;
}

void write_lines(const SlotTable& table, std::span<abi::slot_line> lines) {
    const auto slots = id_table(table.set, table.ids);
    auto from = slots.begin();
    for (auto& line : lines) {
        auto count = std::min<std::ptrdiff_t>(abi::SLOTS_PER_LINE, slots.end() - from);
        std::fill(std::copy_n(from, count, line.backend_id), std::end(line.backend_id), 0u);
        from += count;
    }
}

std::uint64_t hash_table(const std::vector<std::uint32_t>& table) {
    std::uint64_t hash = combine(0, table.size());
    for (auto id : table) hash = combine(hash, id);
    return hash;
}

std::vector<std::uint32_t> ids_of(const BackendSet& part, const BackendSet& all,
                                  const std::vector<std::uint32_t>& ids) {
    std::vector<std::uint32_t> out;
    out.reserve(part.size());
    std::size_t i = 0;
    for (const auto& backend : part) {
        while (all[i] != backend) ++i;
        out.push_back(ids[i]);
    }
    return out;
}

}  // namespace weir::plan
