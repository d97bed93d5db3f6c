// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/slot_writer.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "maps/window.hpp"

namespace weir::apply {

namespace {

// Limits a window, since its pages count as the agent's memory.
constexpr std::uint64_t window_octets = 4u << 20;
constexpr std::size_t batch_lines = 4096;
// The size from which a window pays: opening one costs as much as writing a batch of some forty lines.
constexpr std::uint64_t worth_a_window = 40 * sizeof(abi::slot_line);

std::uint64_t octets_of(const plan::SlotTable& table) {
    return std::uint64_t{table.line_count()} * sizeof(abi::slot_line);
}

std::uint64_t octets_of(std::span<const plan::SlotTable> tables) {
    return std::accumulate(tables.begin(), tables.end(), std::uint64_t{0},
                           [](auto sum, const auto& table) { return sum + octets_of(table); });
}

// Returns how many tables were written: 0 if they are small, or if an agent before BPF_F_MMAPABLE made the map.
std::size_t write_mapped(const maps::SlotMap& map, std::span<const plan::SlotTable> tables) {
    const auto end = std::uint64_t{map.max_entries()} * sizeof(abi::slot_line);
    auto left = octets_of(tables);
    if (left < worth_a_window) return 0;
    maps::Window window;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const auto offset = tables[i].first_line() * std::uint64_t{sizeof(abi::slot_line)};
        const auto size = octets_of(tables[i]);
        if (offset + size > end) return i;
        if (!window.holds(offset, size)) {
            // After a cold start the ranges follow each other, so the window reaches ahead. A change of one table maps
            // only that table's pages.
            auto ahead = std::max(size, std::min(left, window_octets));
            auto opened = maps::Window::open(map.fd(), offset, std::min(ahead, end - offset));
            if (!opened) return i;
            window = std::move(*opened);
        }
        auto part = window.part(offset, size);
        tables[i].write_lines({reinterpret_cast<abi::slot_line*>(part.data()), size / sizeof(abi::slot_line)});
        left -= size;
    }
    return tables.size();
}

std::error_code write_batches(maps::SlotMap& map, std::span<const plan::SlotTable> tables) {
    std::vector<std::uint32_t> keys;
    std::vector<abi::slot_line> lines;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const auto first = tables[i].first_line();
        const auto count = tables[i].line_count();
        const auto held = lines.size();
        lines.resize(held + count);
        keys.resize(held + count);
        std::iota(keys.begin() + static_cast<std::ptrdiff_t>(held), keys.end(), first);
        tables[i].write_lines(std::span(lines).subspan(held));
        if (lines.size() < batch_lines && i + 1 < tables.size()) continue;
        if (auto error = map.update_all(keys, lines).second) return error;
        keys.clear();
        lines.clear();
    }
    return {};
}

}  // namespace

std::error_code write_tables(maps::SlotMap& map, std::span<const plan::SlotTable> tables) {
    if (tables.empty()) return {};
    return write_batches(map, tables.subspan(write_mapped(map, tables)));
}

}  // namespace weir::apply
