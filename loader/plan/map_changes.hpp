// SPDX-License-Identifier: Apache-2.0
// The contract between plan and apply: what the plan wants written to the maps, and what it wants to know of them.
// Both sides include this header and nothing else of each other.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::plan {

using BackendEntry = std::pair<std::uint32_t, abi::backend>;
using ServiceEntry = std::pair<std::uint32_t, abi::service_name>;
using FrontendEntry = std::pair<abi::frontend_key, abi::frontend>;
using VipEntry = std::pair<abi::address, abi::vip>;

// The lines of the map `slots` that a range of so many slots takes. A range begins with a line.
std::uint32_t lines_of(std::uint32_t slots);

// The table of one set in its range of slots. The slots themselves are not in here: the table of a hundred backends has
// sixteen thousand, and all tables at once would be larger than the agent. The writer asks for the lines of one table
// when it has the memory that they go to.
struct SlotTable {
    abi::slot_range range;
    BackendSet set;
    std::vector<std::uint32_t> ids;  // of these

    std::uint32_t first_line() const { return range.offset / abi::SLOTS_PER_LINE; }
    std::uint32_t line_count() const { return lines_of(range.length); }

    // Fills lines, line_count() of them, with the content of the range: Maglev's choice of a backend id for each slot,
    // and 0 behind the last slot. Gives the same octets each time, and stores no other value on the way: lines that
    // hold the table already may be filled again while packets read them.
    void write_lines(std::span<abi::slot_line> lines) const;
};

// A difference between two plans. apply::write() writes it, in the order in which every state in between is valid. A
// key is not both on and off, unless it goes off for good. Writing the same changes again, after a failure anywhere,
// leads to the same contents.
struct MapChanges {
    std::vector<BackendEntry> backends_on;
    std::vector<ServiceEntry> services_on;
    std::vector<SlotTable> slots;
    std::vector<abi::source_range_key> source_ranges_on;
    std::vector<FrontendEntry> frontends_on;
    std::vector<VipEntry> vips_on;
    std::vector<abi::frontend_key> frontends_off;
    std::vector<abi::address> vips_off;
    std::vector<abi::source_range_key> source_ranges_off;
    std::vector<std::uint32_t> services_off;
    std::vector<std::uint32_t> backends_off;  // a sweep of UDP flows must follow
    bool empty() const;
};

// The content of the maps, read back for adoption. slots: the whole array, or empty where it was not read.
struct MapContents {
    std::vector<BackendEntry> backends;  // in use only
    std::vector<ServiceEntry> services;
    std::vector<FrontendEntry> frontends;
    std::vector<abi::slot_line> slots;
    std::vector<VipEntry> vips;
    std::vector<abi::source_range_key> source_ranges;
};

}  // namespace weir::plan
