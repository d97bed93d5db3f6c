// SPDX-License-Identifier: Apache-2.0
// ServicePlans -> map contents: numeric ids, slot ranges, and the ordered difference to what the maps hold.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::plan {

// How much the maps can hold (their max_entries; slots in lines of SLOTS_PER_LINE).
struct Capacity {
    std::uint32_t frontends = 0;
    std::uint32_t services = 0;
    std::uint32_t backends = 0;
    std::uint32_t slot_lines = 0;
};

// A difference to write, in an order in which every intermediate state is valid:
// backends on, service names, slots, frontends on; then frontends off, service names off, backends off.
struct MapChanges {
    std::vector<std::pair<std::uint32_t, abi::backend>> backends_on;
    std::vector<std::pair<std::uint32_t, abi::service_name>> services_on;
    std::vector<std::pair<std::uint32_t, abi::slot_line>> slots;  // key: line index, ascending
    std::vector<std::pair<abi::frontend_key, abi::frontend>> frontends_on;
    std::vector<abi::frontend_key> frontends_off;
    std::vector<std::uint32_t> services_off;
    std::vector<std::uint32_t> backends_off;  // written as zeroed entries; a sweep of UDP flows must follow
    bool empty() const;
};

// What the maps hold now, for adoption. slots: the whole array, or empty where it was not read.
struct MapContents {
    std::vector<std::pair<std::uint32_t, abi::backend>> backends;  // in use only
    std::vector<std::pair<std::uint32_t, abi::service_name>> services;
    std::vector<std::pair<abi::frontend_key, abi::frontend>> frontends;
    std::vector<abi::slot_line> slots;
};

struct Usage {
    std::uint32_t frontends = 0, services = 0, backends = 0, slot_lines = 0;  // in use, quarantined ones included
};

class Layout {
public:
    explicit Layout(Capacity capacity);

    // Takes over what an earlier agent left: ids, ranges and frontends go on being used where the plan agrees.
    // Follow with update() of the complete plan and then finish_adoption(), which drops what no plan claimed.
    void adopt(const MapContents& contents);
    MapChanges finish_adoption();

    // Brings the layout from the service's last plan to this one and appends what must be written to changes.
    // A service for which there is no room keeps its last state in the maps; the problem says which map is full and which
    // configuration key makes it larger.
    std::vector<model::Problem> update(const ServicePlan& plan, MapChanges& changes);

    // Slot ranges and backend ids that were freed are not given out again until two calls of this have passed: the agent
    // calls it after each grace period (datapath programs that still run with an old frontend have ended) and sweep.
    void grace_period_passed();

    Usage usage() const;
};

}  // namespace weir::plan
