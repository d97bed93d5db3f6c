// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/map_changes.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "loader/plan/table.hpp"

namespace weir::plan {

std::uint32_t lines_of(std::uint32_t slots) {
    return slots / abi::SLOTS_PER_LINE + (slots % abi::SLOTS_PER_LINE != 0 ? 1 : 0);
}

void SlotTable::write_lines(std::span<abi::slot_line> lines) const {
    const auto slots = id_table(set, ids);
    auto from = slots.begin();
    for (auto& line : lines) {
        auto count = std::min<std::ptrdiff_t>(abi::SLOTS_PER_LINE, slots.end() - from);
        std::fill(std::copy_n(from, count, line.backend_id), std::end(line.backend_id), 0u);
        from += count;
    }
}

bool MapChanges::empty() const {
    return backends_on.empty() && services_on.empty() && slots.empty() && source_ranges_on.empty() &&
           frontends_on.empty() && vips_on.empty() && frontends_off.empty() && vips_off.empty() &&
           source_ranges_off.empty() && services_off.empty() && backends_off.empty();
}

}  // namespace weir::plan
