// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/sweep_schedule.hpp"

#include <algorithm>

namespace weir::agent {

bool SweepSchedule::due(Time now) {
    if (now < next_) return false;
    next_ = now + period;
    return true;
}

bool SweepSchedule::removed(Removal what, bool is_crowded, Time now) {
    if (what == Removal::datagrams) return true;
    if (what == Removal::streams && is_crowded) next_ = std::min(next_, now + reuse_delay);
    return false;
}

}  // namespace weir::agent
