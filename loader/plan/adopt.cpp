// SPDX-License-Identifier: Apache-2.0
// The layout's start from maps that an earlier agent filled. Nothing in them is trusted: what does not fit together is
// left out here and rewritten or removed by the first complete plan.
#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "loader/plan/entries.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/table.hpp"

namespace weir::plan {

namespace {

// "namespace/name:port", or nothing where the entry is no such name.
std::optional<std::string> parse_name(const abi::service_name& entry) {
    auto length = ::strnlen(entry.name, sizeof(entry.name));
    std::string name(entry.name, length);
    auto slash = name.find('/');
    bool valid = length < sizeof(entry.name) && slash != std::string::npos && name.find(':') != std::string::npos &&
                 slash < name.find(':');
    if (!valid) return {};
    return name;
}

// The content of a range that lies within the slots that were read.
std::vector<std::uint32_t> read_table(const abi::slot_range& range, const std::vector<abi::slot_line>& slots) {
    std::vector<std::uint32_t> table;
    table.reserve(range.length);
    for (std::uint32_t slot = range.offset; slot < range.offset + range.length; ++slot)
        table.push_back(slots[slot / abi::SLOTS_PER_LINE].backend_id[slot % abi::SLOTS_PER_LINE]);
    return table;
}

}  // namespace

void Layout::adopt(const MapContents& contents) {
    adoption_.emplace();
    std::unordered_map<std::uint32_t, PortRecord*> by_id;
    for (const auto& [id, name] : contents.services) {
        if (auto record = adopt_service(id, name)) by_id.emplace(id, record);
    }
    adopt_backends(contents, by_id);
    for (const auto& key : contents.source_ranges) {
        if (auto owner = by_id.find(ntohl(key.service_id_be)); owner != by_id.end()) {
            owner->second->source_ranges.push_back(key);
            ++source_ranges_;
        } else {
            adoption_->stray_source_ranges.push_back(key);
        }
    }
    for (auto& [name, record] : ports_) std::ranges::sort(record.source_ranges, SourceRangeLess());
    frontends_.vips().adopt(contents.vips);
    for (const auto& [key, value] : contents.frontends) {
        auto owner = by_id.find(value.service_id);
        if (owner == by_id.end()) {
            // It takes room, but its Service is not known.
            frontends_.set(key, {});
            adoption_->stray_frontends.push_back(key);
            continue;
        }
        frontends_.set(key, value);
        owner->second->frontends.push_back(key);
        adopt_range(*owner->second, value.cluster_action, value.cluster, contents.slots);
        adopt_range(*owner->second, value.external_action, value.external, contents.slots);
    }
}

Layout::PortRecord* Layout::adopt_service(std::uint32_t id, const abi::service_name& entry) {
    auto name = parse_name(entry);
    bool claimed = service_ids_.claim(id);
    if (!claimed && service_ids_.contains(id)) return nullptr;  // another has it already
    if (!claimed || !name || ports_.contains(*name)) {
        adoption_->stray_services.push_back(id);
        return nullptr;
    }
    auto& record = ports_[*name];
    record.id = id;
    adoption_->unclaimed.insert(id);
    return &record;
}

void Layout::adopt_backends(const MapContents& contents, const std::unordered_map<std::uint32_t, PortRecord*>& by_id) {
    for (const auto& [id, entry] : contents.backends) {
        if (!backends_.adopt(id, entry)) continue;
        auto owner = by_id.find(entry.service_id);
        if (owner == by_id.end())
            adoption_->stray_backends.push_back(id);
        else
            owner->second->backends.push_back(id);
    }
    for (auto& [name, record] : ports_) {
        auto& ids = record.backends;
        auto backend = [&](auto id) { return backends_.backend(id); };
        std::ranges::sort(ids, {}, backend);
        for (std::size_t i = 1; i < ids.size(); ++i) {
            if (backend(ids[i]) == backend(ids[i - 1])) adoption_->stray_backends.push_back(ids[i]);
        }
        ids.erase(std::unique(ids.begin(), ids.end(), [&](auto a, auto b) { return backend(a) == backend(b); }),
                  ids.end());
    }
}

void Layout::adopt_range(PortRecord& record, std::uint8_t action, const abi::slot_range& range,
                         const std::vector<abi::slot_line>& slots) {
    if (action != abi::SCOPE_BALANCE || range.length == 0 || range.offset % abi::SLOTS_PER_LINE != 0) return;
    for (const auto& set : record.sets) {
        if (set.range.offset == range.offset && set.range.length == range.length) return;
    }
    // Outside of the array, or overlapping with another: the frontends that point here get a new range.
    if (!slots_.claim(range.offset / abi::SLOTS_PER_LINE, lines_of(range.length))) return;
    record.sets.push_back({.range = range, .backends = 0});
    auto end = static_cast<std::uint64_t>(range.offset) + range.length;
    if (end <= slots.size() * std::uint64_t{abi::SLOTS_PER_LINE})
        adoption_->tables.emplace(range.offset, hash_table(read_table(range, slots)));
}

MapChanges Layout::finish_adoption() {
    MapChanges changes;
    if (!adoption_) return changes;
    std::erase_if(ports_, [&](const auto& entry) {
        if (!adoption_->unclaimed.contains(entry.second.id)) return false;
        remove(entry.second, changes);
        return true;
    });
    for (const auto& key : adoption_->stray_frontends) {
        if (!frontends_.find(key)) remove_frontend(key, changes);
    }
    for (auto id : adoption_->stray_services) {
        changes.services_off.push_back(id);
        if (service_ids_.contains(id)) service_ids_.retire(id);
    }
    for (auto id : adoption_->stray_backends) remove_backend(id, changes);
    changes.source_ranges_off.insert(changes.source_ranges_off.end(), adoption_->stray_source_ranges.begin(),
                                     adoption_->stray_source_ranges.end());
    frontends_.vips().finish_adoption();
    frontends_.vips().flush(changes.vips_on, changes.vips_off);
    adoption_.reset();
    return changes;
}

}  // namespace weir::plan
