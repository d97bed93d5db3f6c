// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/slots.hpp"

#include <iterator>

namespace weir::plan {

SlotAllocator::SlotAllocator(std::uint32_t lines) {
    if (lines > 0) insert(0, lines);
}

void SlotAllocator::insert(std::uint32_t first, std::uint32_t lines) {
    by_first_.emplace(first, lines);
    by_length_.emplace(lines, first);
}

SlotAllocator::ByFirst::iterator SlotAllocator::erase(ByFirst::iterator range) {
    by_length_.erase({range->second, range->first});
    return by_first_.erase(range);
}

std::optional<std::uint32_t> SlotAllocator::take(std::uint32_t lines) {
    auto best = by_length_.lower_bound({lines, 0});
    if (lines == 0 || best == by_length_.end()) return {};
    auto first = best->second;
    claim(first, lines);
    return first;
}

bool SlotAllocator::claim(std::uint32_t first, std::uint32_t lines) {
    auto after = by_first_.upper_bound(first);
    if (lines == 0 || after == by_first_.begin()) return false;
    auto around = std::prev(after);
    auto [start, length] = *around;
    std::uint64_t end = static_cast<std::uint64_t>(first) + lines;
    std::uint64_t free_end = static_cast<std::uint64_t>(start) + length;
    if (end > free_end) return false;
    erase(around);
    if (start < first) insert(start, first - start);
    if (end < free_end) insert(static_cast<std::uint32_t>(end), static_cast<std::uint32_t>(free_end - end));
    used_ += lines;
    return true;
}

void SlotAllocator::give_back(std::uint32_t first, std::uint32_t lines) {
    used_ -= lines;
    auto after = by_first_.lower_bound(first);
    if (after != by_first_.end() && after->first == first + lines) {
        lines += after->second;
        after = erase(after);
    }
    if (after != by_first_.begin()) {
        auto before = std::prev(after);
        if (before->first + before->second == first) {
            first = before->first;
            lines += before->second;
            erase(before);
        }
    }
    insert(first, lines);
}

void SlotAllocator::retire(std::uint32_t first, std::uint32_t lines) {
    retired_[0].push_back({first, lines});
}

bool SlotAllocator::grace_period_passed() {
    bool freed = !retired_[1].empty();
    for (const auto& range : retired_[1]) give_back(range.first, range.lines);
    retired_[1] = std::exchange(retired_[0], {});
    return freed;
}

}  // namespace weir::plan
