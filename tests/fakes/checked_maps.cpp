// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/checked_maps.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"

namespace weir::fakes {

namespace {

std::string text(const abi::frontend_key& key) {
    return model::to_string(model::address_of(key.address), ntohs(key.port_be));
}

std::string text(const abi::address& address) {
    return model::address_of(address).to_string();
}

bool same_backend(const abi::backend& a, const abi::backend& b) {
    return std::memcmp(&a.address, &b.address, sizeof(a.address)) == 0 && a.port_be == b.port_be &&
           a.protocol == b.protocol && a.service_id == b.service_id;
}

}  // namespace

CheckedMaps::CheckedMaps(plan::Capacity capacity) : capacity_(capacity), slots_(capacity.slot_lines) {}

apply::Written CheckedMaps::put_backends(std::span<const plan::BackendEntry> entries) {
    for (const auto& [id, entry] : entries) {
        require(id > 0 && id < capacity_.backends, fmt::format("backend {}: no such id", id));
        auto held = backends_.find(id);
        require(held == backends_.end() || same_backend(held->second, entry),
                fmt::format("backend {} becomes another while it is in use", id));
        backends_[id] = entry;
    }
    return check();
}

apply::Written CheckedMaps::put_services(std::span<const plan::ServiceEntry> entries) {
    for (const auto& [id, name] : entries) services_[id] = name;
    require(services_.size() <= capacity_.services, "more services than the map holds");
    return check();
}

apply::Written CheckedMaps::put_slots(std::span<const plan::SlotTable> tables) {
    const auto in_use = lines_in_use();
    for (const auto& table : tables) {
        if (std::size_t{table.first_line()} + table.line_count() > slots_.size()) {
            require(false, fmt::format("slots: line {} is beyond the end", table.first_line()));
            continue;
        }
        std::vector<abi::slot_line> lines(table.line_count());
        table.write_lines(lines);
        for (std::uint32_t i = 0; i < lines.size(); ++i) {
            auto& held = slots_[table.first_line() + i];
            require(!in_use[table.first_line() + i] || std::memcmp(&held, &lines[i], sizeof(held)) == 0,
                    fmt::format("line {} changes while a frontend points at it", table.first_line() + i));
            for (auto id : lines[i].backend_id)
                require(id == 0 || backends_.contains(id),
                        fmt::format("slots name backend {}, which is not there", id));
            held = lines[i];
        }
    }
    return check();
}

apply::Written CheckedMaps::put_source_ranges(std::span<const abi::source_range_key> keys) {
    source_ranges_.insert(keys.begin(), keys.end());
    require(source_ranges_.size() <= capacity_.source_ranges, "more source ranges than the map holds");
    return check();
}

apply::Written CheckedMaps::put_frontends(std::span<const plan::FrontendEntry> entries) {
    for (const auto& [key, value] : entries) {
        frontends_[key] = value;
        require(frontends_.size() <= capacity_.frontends, "more frontends than the map holds");
    }
    return check();
}

apply::Written CheckedMaps::put_vips(std::span<const plan::VipEntry> entries) {
    for (const auto& [address, vip] : entries) {
        require(vip.flags & abi::VIP_OF_NODE || has_frontend(address),
                fmt::format("VIP {} comes before its frontends: packets to it are refused", text(address)));
        vips_[address] = vip;
    }
    return check();
}

apply::Written CheckedMaps::remove_frontends(std::span<const abi::frontend_key> keys) {
    for (const auto& key : keys) frontends_.erase(key);
    for (const auto& [key, value] : frontends_)
        require(vips_.contains(key.address),
                fmt::format("frontend {} is not in use yet, and others are taken away", text(key)));
    return check();
}

apply::Written CheckedMaps::remove_vips(std::span<const abi::address> addresses) {
    for (const auto& address : addresses) {
        require(!has_frontend(address), fmt::format("VIP {} goes before its frontends", text(address)));
        vips_.erase(address);
    }
    return check();
}

apply::Written CheckedMaps::remove_source_ranges(std::span<const abi::source_range_key> keys) {
    for (const auto& key : keys) source_ranges_.erase(key);
    return check();
}

apply::Written CheckedMaps::remove_services(std::span<const std::uint32_t> ids) {
    for (auto id : ids) {
        require(!has_source_range(id), fmt::format("service {} goes before its source ranges", id));
        services_.erase(id);
    }
    return check();
}

apply::Written CheckedMaps::remove_backends(std::span<const std::uint32_t> ids) {
    for (auto id : ids) backends_.erase(id);
    return check();
}

plan::MapContents CheckedMaps::contents() const {
    return {.backends = {backends_.begin(), backends_.end()},
            .services = {services_.begin(), services_.end()},
            .frontends = {frontends_.begin(), frontends_.end()},
            .slots = slots_,
            .vips = {vips_.begin(), vips_.end()},
            .source_ranges = {source_ranges_.begin(), source_ranges_.end()}};
}

void CheckedMaps::load(const plan::MapContents& contents) {
    backends_ = {contents.backends.begin(), contents.backends.end()};
    services_ = {contents.services.begin(), contents.services.end()};
    frontends_ = {contents.frontends.begin(), contents.frontends.end()};
    vips_ = {contents.vips.begin(), contents.vips.end()};
    source_ranges_ = {contents.source_ranges.begin(), contents.source_ranges.end()};
    slots_ = contents.slots;
}

std::vector<std::string> CheckedMaps::faults_at_rest() const {
    std::vector<std::string> faults;
    std::map<abi::address, std::uint32_t, AddressLess> wanted;
    for (const auto& [key, value] : frontends_) {
        auto& flags = wanted.try_emplace(key.address, abi::VIP_CLOSED_OUTSIDE).first->second;
        if (value.flags & abi::FRONTEND_OF_NODE)
            flags = abi::VIP_OF_NODE;
        else if (value.external_action != abi::SCOPE_CLOSED && flags != abi::VIP_OF_NODE)
            flags = 0;
    }
    for (const auto& [address, flags] : wanted)
        if (!vips_.contains(address)) faults.push_back(fmt::format("VIP {} is missing", text(address)));
    for (const auto& [address, vip] : vips_) {
        // A Service that another proxy serves has an address and no frontends.
        auto flags = wanted.find(address);
        bool right = vip.flags == abi::VIP_OF_NODE || (flags != wanted.end() && vip.flags == flags->second);
        if (!right) faults.push_back(fmt::format("VIP {} has flags {}", text(address), vip.flags));
    }
    for (const auto& key : source_ranges_)
        if (!services_.contains(ntohl(key.service_id_be)))
            faults.push_back(fmt::format("a source range is of service {}, which is gone", ntohl(key.service_id_be)));
    for (const auto& [id, entry] : backends_)
        if (!services_.contains(entry.service_id))
            faults.push_back(fmt::format("backend {} is of service {}, which is gone", id, entry.service_id));
    return faults;
}

void CheckedMaps::require(bool good, const std::string& what) {
    if (!good && checked_) violations_.push_back(what);
}

apply::Written CheckedMaps::check() {
    if (checked_)
        for (const auto& [key, value] : frontends_) check_frontend(key, value);
    return {};
}

void CheckedMaps::check_frontend(const abi::frontend_key& key, const abi::frontend& value) {
    require(services_.contains(value.service_id), fmt::format("frontend {}: its service has no name", text(key)));
    require(!(value.flags & abi::FRONTEND_SOURCE_RANGES) || has_source_range(value.service_id),
            fmt::format("frontend {} is restricted to source ranges that are not there", text(key)));
    const auto name = text(key);
    if (value.cluster_action == abi::SCOPE_BALANCE) check_range(name, value, value.cluster);
    if (value.external_action == abi::SCOPE_BALANCE) check_range(name, value, value.external);
}

void CheckedMaps::check_range(const std::string& name, const abi::frontend& value, const abi::slot_range& range) {
    bool inside = range.length > 0 &&
                  std::uint64_t{range.offset} + range.length <= slots_.size() * std::uint64_t{abi::SLOTS_PER_LINE};
    require(inside, fmt::format("frontend {} points beyond the slots", name));
    std::vector<bool> known(capacity_.backends);
    for (auto slot = range.offset; inside && slot < range.offset + range.length; ++slot) {
        auto id = slots_[slot / abi::SLOTS_PER_LINE].backend_id[slot % abi::SLOTS_PER_LINE];
        if (id < known.size() && known[id]) continue;
        if (id < known.size()) known[id] = true;
        auto found = backends_.find(id);
        bool good = found != backends_.end() && found->second.service_id == value.service_id;
        require(good, fmt::format("frontend {} reaches backend {}, which is not of its service", name, id));
        if (!good) return;
    }
}

bool CheckedMaps::has_frontend(const abi::address& address) const {
    auto first = frontends_.lower_bound({.address = address, .port_be = 0, .protocol = 0});
    return first != frontends_.end() && std::memcmp(&first->first.address, &address, sizeof(address)) == 0;
}

bool CheckedMaps::has_source_range(std::uint32_t service_id) const {
    return std::ranges::any_of(source_ranges_, [&](const auto& key) { return ntohl(key.service_id_be) == service_id; });
}

std::vector<bool> CheckedMaps::lines_in_use() const {
    std::vector<bool> lines(slots_.size());
    auto add = [&](std::uint8_t action, const abi::slot_range& range) {
        if (action != abi::SCOPE_BALANCE || !checked_) return;
        for (std::size_t i = 0, first = range.offset / abi::SLOTS_PER_LINE; i < plan::lines_of(range.length); ++i)
            if (first + i < lines.size()) lines[first + i] = true;
    };
    for (const auto& [key, value] : frontends_) {
        add(value.cluster_action, value.cluster);
        add(value.external_action, value.external);
    }
    return lines;
}

}  // namespace weir::fakes
