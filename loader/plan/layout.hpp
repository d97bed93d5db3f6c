// SPDX-License-Identifier: Apache-2.0
// ServicePlans -> map contents: numeric ids, slot ranges, and the ordered difference to what the maps hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "loader/plan/backends.hpp"
#include "loader/plan/frontend_table.hpp"
#include "loader/plan/ids.hpp"
#include "loader/plan/map_changes.hpp"
#include "loader/plan/off_list.hpp"
#include "loader/plan/plan.hpp"
#include "loader/plan/slots.hpp"
#include "maps/abi.h"
#include "maps/sizes.hpp"

namespace weir::plan {

// How much the maps can hold (their max_entries; slots in lines of SLOTS_PER_LINE).
struct Capacity {
    std::uint32_t frontends = 0;
    std::uint32_t services = 0;
    std::uint32_t backends = 0;
    std::uint32_t slot_lines = 0;
    std::uint32_t source_ranges = 0;
};
Capacity capacity_of(const maps::MapSizes& sizes);

struct Usage {
    std::uint32_t frontends = 0, services = 0, backends = 0, slot_lines = 0,
                  source_ranges = 0;  // in use, quarantined ones included
};

class Layout {
public:
    explicit Layout(Capacity capacity);

    // Takes over what an earlier agent left: ids, ranges and frontends go on being used where the plan agrees.
    // Follow with update() of the complete plan and then finish_adoption(), which drops what no plan claimed.
    void adopt(const MapContents& contents);
    MapChanges finish_adoption();

    // Brings the layout from the service's last plan to this one and appends what must be written to changes.
    // A service for which there is no room keeps its last state in the maps; the problem says which map is full and
    // which configuration key makes it larger.
    std::vector<model::Problem> update(const ServicePlan& plan, MapChanges& changes);

    // The services that found no room: plan and update() them again. Empty as long as nothing has become free since the
    // last refusal, so that a full map costs nothing.
    std::vector<model::ObjectName> waiting() const;

    // Slot ranges, ids and room in the maps that were freed are not given out again until two calls of this have
    // passed. The agent calls it after each grace period (datapath programs that still run with an old frontend have
    // ended) and sweep, and only when all changes so far are in the maps.
    void grace_period_passed();

    Usage usage() const;

    // Tells whether the maps hold anything of this Service.
    bool serves(const model::ObjectName& service) const;

private:
    struct SetRecord {
        abi::slot_range range;
        std::uint32_t backends;  // how many; 0: adopted, not known yet
    };
    struct PortRecord {
        std::uint32_t id = 0;
        std::vector<SetRecord> sets;
        std::vector<std::uint32_t> backends;  // ids, set by set, each in the order of its BackendSet
        std::vector<abi::frontend_key> frontends;
        std::vector<abi::source_range_key> source_ranges;  // sorted
    };
    // The planned update of one service port. Layout changes nothing before all ports of the service have found room.
    struct Draft {
        const ServicePortPlan* plan;
        PortRecord* record;              // nullptr: a new service port
        BackendSet backends;             // of all sets
        std::vector<std::uint32_t> ids;  // of these; 0: to be given
        std::vector<std::uint32_t> leaving;
        std::vector<abi::slot_range> ranges;  // of each set
        std::vector<bool> fresh;              // of each set: the range is new
        std::vector<abi::frontend_key> frontends;
    };
    // State that exists only while an adoption is open.
    struct Adoption {
        std::unordered_set<std::uint32_t> unclaimed;              // ids of service ports
        std::unordered_map<std::uint32_t, std::uint64_t> tables;  // offset of a range -> hash of what it holds
        // Entries that make no sense: removed at the end, unless a plan has overwritten them.
        std::vector<std::uint32_t> stray_services;
        std::vector<std::uint32_t> stray_backends;
        std::vector<abi::frontend_key> stray_frontends;
        std::vector<abi::source_range_key> stray_source_ranges;
    };
    using Ports = std::map<std::string, PortRecord, std::less<>>;  // by "namespace/name:port"

    void update_foreign(const ServicePlan& plan);
    Draft draft(const ServicePortPlan& plan);
    void match_backends(Draft& draft) const;
    void match_sets(Draft& draft) const;
    bool is_unchanged(const Draft& draft, const BackendSet& set, const std::vector<std::uint32_t>& ids,
                      const SetRecord& old, std::size_t first) const;
    // The map that is too small and its configuration key; nothing: there is room, and slot ranges have been taken.
    std::optional<std::string> find_room(std::vector<Draft>& drafts);
    bool take_ranges(std::vector<Draft>& drafts);

    void commit(Draft& draft, MapChanges& changes);
    void commit_backends(Draft& draft, MapChanges& changes);
    void commit_sets(Draft& draft, MapChanges& changes);
    void commit_source_ranges(const Draft& draft, MapChanges& changes);
    void commit_frontends(const Draft& draft, MapChanges& changes);
    void remove(const PortRecord& record, MapChanges& changes);
    void remove_backend(std::uint32_t id, MapChanges& changes);
    void remove_frontend(const abi::frontend_key& key, MapChanges& changes);
    void retire(const SetRecord& set);
    std::vector<std::uint32_t> distinct_ids(const PortRecord& record) const;

    PortRecord* adopt_service(std::uint32_t id, const abi::service_name& name);
    void adopt_backends(const MapContents& contents, const std::unordered_map<std::uint32_t, PortRecord*>& by_id);
    void adopt_range(PortRecord& record, std::uint8_t action, const abi::slot_range& range,
                     const std::vector<abi::slot_line>& slots);

    Capacity capacity_;
    Ports ports_;
    IdPool service_ids_;
    BackendTable backends_;
    SlotAllocator slots_;
    FrontendTable frontends_;
    std::uint32_t source_ranges_ = 0;                                   // in use
    std::map<model::ObjectName, std::vector<model::Address>> foreign_;  // addresses of Services of other proxies
    OffList<abi::frontend_key, FrontendKeyHash, FrontendKeyEqual> frontends_off_;
    OffList<std::uint32_t> backends_off_;
    std::optional<Adoption> adoption_;
    std::set<model::ObjectName> refused_;
    bool room_was_made_ = false;  // since the last refusal
};

}  // namespace weir::plan
