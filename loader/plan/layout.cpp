// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "loader/plan/entries.hpp"
#include "loader/plan/maglev.hpp"
#include "loader/plan/table.hpp"

namespace weir::plan {

namespace {

abi::service_name service_name(const std::string& name) {
    abi::service_name entry{};
    name.copy(entry.name, sizeof(entry.name) - 1);
    return entry;
}

model::Problem no_room(const ServicePlan& plan, const std::string& map) {
    return {.severity = model::Severity::error,
            .origin = plan.origin,
            .object = "Service " + plan.service.to_string(),
            .what = fmt::format(
                "the map {} is full: the service stays as it was; make datapath.maps.{} larger and restart the agent",
                map, map)};
}

bool same_range(const abi::slot_range& a, const abi::slot_range& b) {
    return a.offset == b.offset && a.length == b.length;
}

}  // namespace

Capacity capacity_of(const maps::MapSizes& sizes) {
    return {.frontends = sizes.frontends,
            .services = sizes.services,
            .backends = sizes.backends,
            .slot_lines = sizes.slots / abi::SLOTS_PER_LINE,
            .source_ranges = sizes.source_ranges};
}

Layout::Layout(Capacity capacity)
    : capacity_(capacity), service_ids_(capacity.services), backends_(capacity.backends), slots_(capacity.slot_lines) {}

std::vector<model::Problem> Layout::update(const ServicePlan& plan, MapChanges& changes) {
    std::vector<Draft> drafts;
    drafts.reserve(plan.ports.size());
    for (const auto& port : plan.ports) drafts.push_back(draft(port));

    if (auto full = find_room(drafts)) {
        refused_.insert(plan.service);
        room_was_made_ = false;
        return {no_room(plan, *full)};
    }
    refused_.erase(plan.service);

    for (auto& draft : drafts) commit(draft, changes);
    const auto prefix = plan.service.to_string() + ":";
    for (auto it = ports_.lower_bound(prefix); it != ports_.end() && it->first.starts_with(prefix);) {
        bool planned = std::ranges::any_of(plan.ports, [&](const auto& port) { return port.name == it->first; });
        if (!planned) remove(it->second, changes);
        it = planned ? std::next(it) : ports_.erase(it);
    }
    update_foreign(plan);
    frontends_.vips().flush(changes.vips_on, changes.vips_off);
    return {};
}

void Layout::update_foreign(const ServicePlan& plan) {
    auto& vips = frontends_.vips();
    if (auto held = foreign_.find(plan.service); held != foreign_.end()) {
        for (const auto& address : held->second) vips.remove_foreign(address);
        foreign_.erase(held);
    }
    if (plan.state == ServiceState::planned || plan.cluster_ips.empty()) return;
    for (const auto& address : plan.cluster_ips) vips.add_foreign(address);
    foreign_[plan.service] = plan.cluster_ips;
}

std::vector<model::ObjectName> Layout::waiting() const {
    if (!room_was_made_) return {};
    return {refused_.begin(), refused_.end()};
}

void Layout::grace_period_passed() {
    bool services = !service_ids_.grace_period_passed().empty();
    bool backends = backends_.grace_period_passed();
    bool slots = slots_.grace_period_passed();
    bool frontends = frontends_.grace_period_passed();
    room_was_made_ = room_was_made_ || services || backends || slots || frontends;
}

Usage Layout::usage() const {
    return {.frontends = frontends_.used(),
            .services = service_ids_.used(),
            .backends = backends_.used(),
            .slot_lines = slots_.used(),
            .source_ranges = source_ranges_};
}

bool Layout::serves(const model::ObjectName& service) const {
    const auto prefix = service.to_string() + ":";
    auto first = ports_.lower_bound(prefix);
    return first != ports_.end() && first->first.starts_with(prefix);
}

Layout::Draft Layout::draft(const ServicePortPlan& plan) {
    Draft draft{.plan = &plan,
                .record = nullptr,
                .backends = {},
                .ids = {},
                .leaving = {},
                .ranges = {},
                .fresh = {},
                .frontends = {}};
    if (auto found = ports_.find(plan.name); found != ports_.end()) {
        draft.record = &found->second;
        if (adoption_) adoption_->unclaimed.erase(draft.record->id);
    }
    for (const auto& set : plan.sets) {
        BackendSet merged;
        std::ranges::set_union(draft.backends, set, std::back_inserter(merged));
        draft.backends = std::move(merged);
    }
    for (const auto& frontend : plan.frontends)
        draft.frontends.push_back(frontend_key(frontend.address, frontend.port, plan.protocol));
    match_backends(draft);
    match_sets(draft);
    return draft;
}

std::vector<std::uint32_t> Layout::distinct_ids(const PortRecord& record) const {
    auto ids = record.backends;
    // One set, the common case, is in order.
    if (record.sets.size() > 1 || adoption_) {
        std::ranges::sort(ids, {}, [&](auto id) { return backends_.backend(id); });
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    }
    return ids;
}

// Finds the wanted backends that have ids, and the ids that are wanted no more. Both sides are sorted.
void Layout::match_backends(Draft& draft) const {
    draft.ids.assign(draft.backends.size(), 0);
    if (!draft.record) return;
    std::size_t i = 0;
    for (auto id : distinct_ids(*draft.record)) {
        auto current = backends_.backend(id);
        while (i < draft.backends.size() && draft.backends[i] < current) ++i;
        if (i < draft.backends.size() && draft.backends[i] == current)
            draft.ids[i] = id;
        else
            draft.leaving.push_back(id);
    }
}

// A set that has not changed keeps its range.
void Layout::match_sets(Draft& draft) const {
    draft.ranges.resize(draft.plan->sets.size());
    draft.fresh.assign(draft.plan->sets.size(), true);
    if (!draft.record) return;
    for (std::size_t i = 0; i < draft.plan->sets.size(); ++i) {
        const auto& set = draft.plan->sets[i];
        auto ids = ids_of(set, draft.backends, draft.ids);
        std::size_t first = 0;
        for (const auto& old : draft.record->sets) {
            if (draft.fresh[i] && is_unchanged(draft, set, ids, old, first)) {
                draft.ranges[i] = old.range;
                draft.fresh[i] = false;
            }
            first += old.backends;
        }
    }
}

bool Layout::is_unchanged(const Draft& draft, const BackendSet& set, const std::vector<std::uint32_t>& ids,
                          const SetRecord& old, std::size_t first) const {
    if (old.backends > 0) {
        if (old.backends != ids.size()) return false;
        return std::equal(ids.begin(), ids.end(), draft.record->backends.begin() + static_cast<std::ptrdiff_t>(first));
    }
    // Adopted: the table itself tells.
    if (!adoption_ || old.range.length != maglev_size(set.size()) || std::ranges::find(ids, 0u) != ids.end())
        return false;
    auto held = adoption_->tables.find(old.range.offset);
    return held != adoption_->tables.end() && held->second == hash_table(id_table(set, ids));
}

std::optional<std::string> Layout::find_room(std::vector<Draft>& drafts) {
    std::size_t services = 0, backends = 0, frontends = 0, source_ranges = 0;
    for (const auto& draft : drafts) {
        if (!draft.record) ++services;
        for (std::size_t i = 0; i < draft.ids.size(); ++i) {
            bool has_id =
                draft.ids[i] != 0 || (draft.record && backends_.returning(draft.record->id, draft.backends[i]));
            if (!has_id) ++backends;
        }
        frontends += static_cast<std::size_t>(
            std::ranges::count_if(draft.frontends, [&](const auto& key) { return !frontends_.takes_room(key); }));
        // New ones are written before old ones are deleted.
        source_ranges += draft.plan->source_ranges.size();
    }
    if (services > service_ids_.available()) return "services";
    if (backends > backends_.available()) return "backends";
    if (frontends > 0 && frontends_.used() + frontends > capacity_.frontends) return "frontends";
    if (source_ranges > 0 && source_ranges_ + source_ranges > capacity_.source_ranges) return "sourceRanges";
    if (!take_ranges(drafts)) return "slots";
    return {};
}

// All or none.
bool Layout::take_ranges(std::vector<Draft>& drafts) {
    std::vector<abi::slot_range> taken;
    for (auto& draft : drafts) {
        for (std::size_t i = 0; i < draft.ranges.size(); ++i) {
            if (!draft.fresh[i]) continue;
            auto length = maglev_size(draft.plan->sets[i].size());
            auto line = slots_.take(lines_of(length));
            if (!line) {
                for (const auto& range : taken)
                    slots_.give_back(range.offset / abi::SLOTS_PER_LINE, lines_of(range.length));
                return false;
            }
            draft.ranges[i] = {.offset = *line * abi::SLOTS_PER_LINE, .length = length};
            taken.push_back(draft.ranges[i]);
        }
    }
    return true;
}

void Layout::commit(Draft& draft, MapChanges& changes) {
    if (!draft.record) {
        draft.record = &ports_[draft.plan->name];
        draft.record->id = service_ids_.take().value();
        changes.services_on.emplace_back(draft.record->id, service_name(draft.plan->name));
    }
    commit_backends(draft, changes);
    commit_sets(draft, changes);
    commit_source_ranges(draft, changes);
    commit_frontends(draft, changes);
    for (auto id : draft.leaving) remove_backend(id, changes);
}

void Layout::commit_backends(Draft& draft, MapChanges& changes) {
    for (std::size_t i = 0; i < draft.ids.size(); ++i) {
        auto& id = draft.ids[i];
        auto entry = backend_entry(draft.backends[i], draft.plan->protocol, draft.record->id);
        if (std::ranges::binary_search(draft.plan->cluster_members, draft.backends[i]))
            entry.flags |= abi::BACKEND_IN_CLUSTER_SET;
        if (std::ranges::binary_search(draft.plan->local_members, draft.backends[i]))
            entry.flags |= abi::BACKEND_IN_LOCAL_SET;
        if (id != 0 && same(backends_[id], entry)) continue;
        if (id != 0) {
            backends_.set(id, entry);
        } else {
            id = backends_.add(entry);
            backends_off_.take_back(changes.backends_off, id);
        }
        changes.backends_on.emplace_back(id, entry);
    }
}

void Layout::commit_sets(Draft& draft, MapChanges& changes) {
    auto& record = *draft.record;
    for (const auto& old : record.sets) {
        bool kept = std::ranges::any_of(draft.ranges, [&](const auto& range) { return same_range(range, old.range); });
        if (!kept) retire(old);
    }
    record.sets.clear();
    record.backends.clear();
    for (std::size_t i = 0; i < draft.ranges.size(); ++i) {
        const auto& set = draft.plan->sets[i];
        auto ids = ids_of(set, draft.backends, draft.ids);
        record.sets.push_back({.range = draft.ranges[i], .backends = static_cast<std::uint32_t>(ids.size())});
        record.backends.insert(record.backends.end(), ids.begin(), ids.end());
        if (draft.fresh[i]) changes.slots.push_back({.range = draft.ranges[i], .set = set, .ids = std::move(ids)});
    }
    record.sets.shrink_to_fit();
    record.backends.shrink_to_fit();
}

void Layout::commit_source_ranges(const Draft& draft, MapChanges& changes) {
    auto& record = *draft.record;
    std::vector<abi::source_range_key> wanted;
    wanted.reserve(draft.plan->source_ranges.size());
    for (const auto& range : draft.plan->source_ranges) wanted.push_back(source_range_key(range, record.id));
    std::ranges::sort(wanted, SourceRangeLess());
    std::ranges::set_difference(wanted, record.source_ranges, std::back_inserter(changes.source_ranges_on),
                                SourceRangeLess());
    std::ranges::set_difference(record.source_ranges, wanted, std::back_inserter(changes.source_ranges_off),
                                SourceRangeLess());
    source_ranges_ += static_cast<std::uint32_t>(wanted.size());
    source_ranges_ -= static_cast<std::uint32_t>(record.source_ranges.size());
    record.source_ranges = std::move(wanted);
}

void Layout::commit_frontends(const Draft& draft, MapChanges& changes) {
    auto& record = *draft.record;
    auto range_of = [&](const Scope& scope) {
        return scope.action == abi::SCOPE_BALANCE ? draft.ranges[scope.set] : abi::slot_range{};
    };
    for (std::size_t i = 0; i < draft.frontends.size(); ++i) {
        const auto& frontend = draft.plan->frontends[i];
        const auto& key = draft.frontends[i];
        abi::frontend value{.cluster = range_of(frontend.cluster),
                            .external = range_of(frontend.external),
                            .service_id = record.id,
                            .kind = static_cast<std::uint8_t>(frontend.kind),
                            .cluster_action = static_cast<std::uint8_t>(frontend.cluster.action),
                            .external_action = static_cast<std::uint8_t>(frontend.external.action),
                            .flags = flags_of(*draft.plan, frontend),
                            .affinity_ticks = affinity_ticks(*draft.plan),
                            .cluster_members = members_of(*draft.plan, frontend.cluster),
                            .external_members = members_of(*draft.plan, frontend.external),
                            .pad = {}};
        auto held = frontends_.find(key);
        if (held && same(*held, value)) continue;
        if (!held) frontends_off_.take_back(changes.frontends_off, key);
        frontends_.set(key, value);
        changes.frontends_on.emplace_back(key, value);
    }
    auto wanted = draft.frontends;
    std::ranges::sort(wanted, FrontendKeyLess());
    for (const auto& key : record.frontends) {
        if (std::ranges::binary_search(wanted, key, FrontendKeyLess())) continue;
        auto held = frontends_.find(key);
        // Another service port may have it by now.
        if (held && held->service_id == record.id) remove_frontend(key, changes);
    }
    record.frontends = draft.frontends;
}

void Layout::remove_frontend(const abi::frontend_key& key, MapChanges& changes) {
    frontends_.remove(key);
    frontends_off_.add(changes.frontends_off, key);
}

void Layout::remove_backend(std::uint32_t id, MapChanges& changes) {
    backends_.remove(id);
    backends_off_.add(changes.backends_off, id);
}

void Layout::retire(const SetRecord& set) {
    slots_.retire(set.range.offset / abi::SLOTS_PER_LINE, lines_of(set.range.length));
}

void Layout::remove(const PortRecord& record, MapChanges& changes) {
    for (const auto& key : record.frontends) {
        auto held = frontends_.find(key);
        if (held && held->service_id == record.id) remove_frontend(key, changes);
    }
    changes.source_ranges_off.insert(changes.source_ranges_off.end(), record.source_ranges.begin(),
                                     record.source_ranges.end());
    source_ranges_ -= static_cast<std::uint32_t>(record.source_ranges.size());
    for (const auto& set : record.sets) retire(set);
    for (auto id : distinct_ids(record)) remove_backend(id, changes);
    service_ids_.retire(record.id);
    changes.services_off.push_back(record.id);
}

}  // namespace weir::plan
