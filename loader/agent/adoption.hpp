// SPDX-License-Identifier: Apache-2.0
// May the agent take away what the maps hold? An agent that starts over the maps of an earlier one must not, before it
// knows what the source says; and not while files are broken whose content only the maps still know.
#pragma once

#include <set>
#include <vector>

#include "loader/plan/map_changes.hpp"
#include "loader/plan/planner.hpp"

namespace weir::agent {

// The states, and what each allows:
//
//              it is so                                        remove  attach  keep allocations
//   fresh      no maps were taken over, nothing is planned     yes     no      no
//   adopting   maps were taken over, and no plan has come yet  yes     no      no
//   held       the same, but the source is not synced          no      yes     yes
//   settled    a plan of everything has been made              yes     yes     no
//
//   fresh    --adopted()--> adopting
//   adopting --source_read(not synced)--> held --source_read(synced)--> adopting
//   fresh, adopting --planned()--> settled; out of adopting, what no plan has claimed is removed now
//
// remove: a Service may go, or lose its last endpoints, and so may what no plan claims. Nothing is planned before the
// source has been read through once (Planning::is_read), so that fresh and adopting remove nothing earlier than that.
// attach: the programs may be attached to interfaces, once the maps hold a plan of everything (written()).
// keep allocations: what was allocated to Services that are not there is given to no others.
class Adoption {
public:
    enum class State { fresh, adopting, held, settled };
    struct Allows {
        bool remove;
        bool attach;
        bool keep_allocations;
    };
    static constexpr Allows allows(State state) {
        switch (state) {
            case State::fresh:
            case State::adopting:
                return {.remove = true, .attach = false, .keep_allocations = false};
            case State::held:
                return {.remove = false, .attach = true, .keep_allocations = true};
            case State::settled:
                return {.remove = true, .attach = true, .keep_allocations = false};
        }
        return {};
    }

    State state() const { return state_; }
    bool is_held() const { return state_ == State::held; }
    bool may_remove() const { return allows(state_).remove; }
    bool may_attach() const { return is_written_ && allows(state_).attach; }
    bool keeps_allocations() const { return allows(state_).keep_allocations; }

    // The maps of an earlier agent were taken over.
    void adopted();

    // The source has been read through. is_synced: it could tell everything that exists, so that what it does not name
    // is not there. Returns the Services to plan again, since their last plan was held back and need not be any more.
    std::set<model::ObjectName> source_read(bool is_synced);

    // Answers whether this plan is to be held back: it would take away all that the maps hold of its Service.
    // is_served: the maps hold something of it.
    bool holds_back(const plan::ServicePlan& plan, bool is_served);

    // A plan of everything has been made. Answers whether what no plan has claimed is to be removed now.
    bool planned();

    // The maps hold what was planned. Answers true the first time: now the programs can be attached.
    bool written();

private:
    State state_ = State::fresh;
    std::set<model::ObjectName> held_back_;
    bool is_written_ = false;  // once, at least
};

// The frontends in the maps, by service port: what Planner::adopt wants.
std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents);

}  // namespace weir::agent
