// SPDX-License-Identifier: Apache-2.0
// Decides whether the agent may remove map entries. An agent that takes over the maps of an earlier one must not remove
// any before it has read the source, nor while files are broken: then only the maps still have the files' content.
#pragma once

#include <set>
#include <vector>

#include "loader/plan/map_changes.hpp"
#include "loader/plan/planner.hpp"

namespace weir::agent {

// The states, and what each allows:
//
//              when                                            remove  attach  keep allocations
//   fresh      no maps were taken over, nothing is planned     yes     no      no
//   adopting   maps were taken over, and no plan has come yet  yes     no      no
//   held       as adopting, but the source is not synced       no      yes     yes
//   settled    a plan of everything has been made              yes     yes     no
//
//   fresh    --adopted()--> adopting
//   adopting --source_read(not synced)--> held --source_read(synced)--> adopting
//   fresh, adopting --planned()--> settled; leaving adopting, the agent removes the entries that no plan has claimed
//
// remove: the agent may remove a Service, its last endpoints, and entries that no plan claims. It plans nothing before
// it has read the whole source once (Planning::is_read), so fresh and adopting remove nothing earlier than that.
// attach: the agent may attach the programs to interfaces, once the maps hold a plan of everything (written()).
// keep allocations: addresses and ports that were allocated to missing Services are not given to others.
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

    // Notes that the maps of an earlier agent were taken over.
    void adopted();

    // Notes that the source has been read completely. is_synced: it could report every object, so an object that it
    // does not name does not exist. Returns the Services to plan again: their plans need not be held back any more.
    std::set<model::ObjectName> source_read(bool is_synced);

    // Returns whether to hold this plan back: it would remove all entries of its Service from the maps.
    // is_served: the maps have entries of the Service.
    bool holds_back(const plan::ServicePlan& plan, bool is_served);

    // Notes that everything has been planned. Returns whether to remove now the entries that no plan has claimed.
    bool planned();

    // Notes that the maps hold what was planned. Returns true the first time: now the programs can be attached.
    bool written();

private:
    State state_ = State::fresh;
    std::set<model::ObjectName> held_back_;
    bool is_written_ = false;  // at least once
};

// Returns the frontends in the maps with their service ports, as Planner::adopt takes them.
std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents);

}  // namespace weir::agent
