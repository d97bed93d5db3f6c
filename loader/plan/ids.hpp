// SPDX-License-Identifier: Apache-2.0
// Gives out ids from 1, the lowest free one first, so that arrays in the kernel are touched from the front only.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace weir::plan {

class IdPool {
public:
    // Ids 1 to largest.
    explicit IdPool(std::uint32_t largest);

    bool contains(std::uint32_t id) const { return id > 0 && id <= largest_; }

    std::optional<std::uint32_t> take();
    // Takes exactly this one. False: there is no such id, or it is not free.
    bool claim(std::uint32_t id);
    // The datapath may still know it: free after two grace periods.
    void retire(std::uint32_t id);
    // In use again; id is one that was retired and is not free yet.
    void revive(std::uint32_t id);

    // The ids that became free.
    std::vector<std::uint32_t> grace_period_passed();

    std::uint32_t used() const { return used_; }  // retired ones included
    std::uint32_t available() const { return largest_ - used_; }

private:
    std::uint32_t largest_;
    std::uint32_t used_ = 0;
    std::vector<std::uint64_t> taken_;                     // a bit each; id 0 counts as taken
    std::size_t first_open_ = 0;                           // no word before this one has a free id
    std::unordered_map<std::uint32_t, unsigned> retired_;  // id -> grace periods still to pass
};

}  // namespace weir::plan
