// SPDX-License-Identifier: Apache-2.0
// The free parts of the slot array, as ranges of whole lines (SLOTS_PER_LINE slots).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::plan {

class SlotAllocator {
public:
    explicit SlotAllocator(std::uint32_t lines);

    // First line of a range that was free, the smallest that is large enough; none: nothing is.
    std::optional<std::uint32_t> take(std::uint32_t lines);
    // Takes exactly this range. False: not all of it was free.
    bool claim(std::uint32_t first, std::uint32_t lines);
    // Frees a range that the datapath never saw, at once.
    void give_back(std::uint32_t first, std::uint32_t lines);
    // Frees a range that the datapath may still read, after two grace periods.
    void retire(std::uint32_t first, std::uint32_t lines);

    // True: something became free.
    bool grace_period_passed();

    std::uint32_t used() const { return used_; }  // retired ones included

private:
    struct Range {
        std::uint32_t first;
        std::uint32_t lines;
    };
    using ByFirst = std::map<std::uint32_t, std::uint32_t>;

    void insert(std::uint32_t first, std::uint32_t lines);
    ByFirst::iterator erase(ByFirst::iterator range);

    // Free ranges, never two that touch: by place, and by {length, place}.
    ByFirst by_first_;
    std::set<std::pair<std::uint32_t, std::uint32_t>> by_length_;
    std::array<std::vector<Range>, 2> retired_;  // by the grace periods that they have seen
    std::uint32_t used_ = 0;
};

}  // namespace weir::plan
