// SPDX-License-Identifier: Apache-2.0
// The seam behind the plan: what follows service plans. The maps, health checks and others are told the same plans.
#pragma once

#include "loader/plan/plan.hpp"

namespace weir::plan {

class Consumer {
public:
    virtual ~Consumer() = default;
    // Takes in the new plan of one Service; a removed Service has a plan without ports. A plan is in force until the
    // next one of the same Service.
    virtual void update(const ServicePlan& plan) = 0;
    // Follows the last update() of a change: brings into force what the plans since the last call say.
    virtual void sync() = 0;
};

}  // namespace weir::plan
