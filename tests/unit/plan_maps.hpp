// SPDX-License-Identifier: Apache-2.0
// Maps in memory that a layout is written to, with the checks that a datapath would need.
#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/model/abi_address.hpp"
#include "loader/plan/entries.hpp"
#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {

inline ServicePlan plan_of(const std::string& name, const std::vector<std::string>& addresses,
                           const std::string& frontend = "10.96.0.1", std::uint16_t number = 80,
                           const std::string& port_name = "http") {
    ServicePlan out;
    out.service = {.name_space = "ns", .name = name};
    ServicePortPlan port;
    port.name = "ns/" + name + ":" + port_name;
    Frontend f{.kind = abi::FRONTEND_CLUSTER_IP,
               .address = address(frontend),
               .port = number,
               .cluster = {.action = abi::SCOPE_REJECT},
               .external = {.action = abi::SCOPE_CLOSED}};
    if (!addresses.empty()) {
        port.sets = {backends(addresses)};
        f.cluster = {.action = abi::SCOPE_BALANCE, .set = 0};
    }
    port.frontends = {f};
    out.ports = {port};
    return out;
}

inline ServicePlan gone(const std::string& name) {
    ServicePlan out;
    out.service = {.name_space = "ns", .name = name};
    return out;
}

struct AddressLess {
    bool operator()(const abi::address& a, const abi::address& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
};

class Kernel {
public:
    explicit Kernel(Capacity capacity) : capacity_(capacity), layout_(capacity), slots_(capacity.slot_lines) {}

    Layout& layout() { return layout_; }

    MapChanges update(const ServicePlan& plan, std::vector<model::Problem>* problems = nullptr) {
        MapChanges changes;
        auto said = layout_.update(plan, changes);
        if (problems)
            *problems = said;
        else
            EXPECT_TRUE(said.empty()) << text(said);
        apply(changes);
        check_vips();
        return changes;
    }

    // Writes in the order that MapChanges promises; after every step of it the state must be valid.
    void apply(const MapChanges& changes) {
        for (const auto& [id, entry] : changes.backends_on) {
            ASSERT_TRUE(id > 0 && id < capacity_.backends);
            backends_[id] = entry;
        }
        for (const auto& [id, name] : changes.services_on) services_[id] = name;
        auto read = lines_in_use();
        for (const auto& table : changes.slots) {
            const auto first = table.range.offset / abi::SLOTS_PER_LINE, count = lines_of(table.range.length);
            for (auto line = first; line < first + count; ++line)
                ASSERT_FALSE(read.contains(line)) << "line " << line << " is rewritten while a frontend points at it";
            ASSERT_LE(first + count, slots_.size());
            write_lines(table, std::span(slots_).subspan(first, count));
        }
        check();
        for (const auto& key : changes.source_ranges_on) source_ranges_.insert(key);
        ASSERT_LE(source_ranges_.size(), capacity_.source_ranges);
        for (const auto& [key, value] : changes.frontends_on) {
            frontends_[key] = value;
            ASSERT_LE(frontends_.size(), capacity_.frontends);
        }
        for (const auto& [address, vip] : changes.vips_on) vips_[address] = vip;
        check();
        for (const auto& key : changes.frontends_off) frontends_.erase(key);
        for (const auto& address : changes.vips_off) vips_.erase(address);
        for (const auto& key : changes.source_ranges_off) source_ranges_.erase(key);
        for (auto id : changes.services_off) services_.erase(id);
        for (auto id : changes.backends_off) backends_.erase(id);
        check();
    }

    MapContents contents() const {
        return {.backends = {backends_.begin(), backends_.end()},
                .services = {services_.begin(), services_.end()},
                .frontends = {frontends_.begin(), frontends_.end()},
                .slots = slots_,
                .vips = {vips_.begin(), vips_.end()},
                .source_ranges = {source_ranges_.begin(), source_ranges_.end()}};
    }

    // The agent goes, and another comes.
    MapChanges restart(const MapContents& contents, const std::vector<ServicePlan>& plans) {
        layout_ = Layout(capacity_);
        layout_.adopt(contents);
        MapChanges changes;
        for (const auto& plan : plans) layout_.update(plan, changes);
        apply(changes);
        auto last = layout_.finish_adoption();
        apply(last);
        check_vips();
        changes.frontends_off.insert(changes.frontends_off.end(), last.frontends_off.begin(), last.frontends_off.end());
        changes.services_off.insert(changes.services_off.end(), last.services_off.begin(), last.services_off.end());
        changes.backends_off.insert(changes.backends_off.end(), last.backends_off.begin(), last.backends_off.end());
        return changes;
    }
    void load(const MapContents& contents) {
        backends_ = {contents.backends.begin(), contents.backends.end()};
        services_ = {contents.services.begin(), contents.services.end()};
        frontends_ = {contents.frontends.begin(), contents.frontends.end()};
        vips_ = {contents.vips.begin(), contents.vips.end()};
        source_ranges_ = {contents.source_ranges.begin(), contents.source_ranges.end()};
        slots_ = contents.slots;
    }
    void expect_valid(bool on) { checked_ = on; }

    // The flags of a VIP; none where there is no such.
    std::optional<std::uint32_t> vip(const std::string& text) const {
        auto found = vips_.find(model::abi_address(address(text)));
        return found == vips_.end() ? std::nullopt : std::optional(found->second.flags);
    }
    std::size_t source_ranges() const { return source_ranges_.size(); }
    std::optional<abi::backend> backend(const std::string& text) const {
        for (const auto& [id, entry] : backends_) {
            if (model::address_of(entry.address) == address(text)) return entry;
        }
        return {};
    }
    abi::frontend frontend(const std::string& text, std::uint16_t port = 80) const {
        auto found = frontends_.find(frontend_key(address(text), port, model::Protocol::tcp));
        return found == frontends_.end() ? abi::frontend{} : found->second;
    }
    // Those that scope cluster reaches.
    std::string backends_of(const std::string& frontend_address, std::uint16_t port = 80) const {
        BackendSet out;
        auto range = frontend(frontend_address, port).cluster;
        for (auto slot = range.offset; slot < range.offset + range.length; ++slot) {
            const auto& entry = backends_.at(slots_[slot / 16].backend_id[slot % 16]);
            out.push_back({model::address_of(entry.address), ntohs(entry.port_be)});
        }
        std::ranges::sort(out);
        out.erase(std::unique(out.begin(), out.end()), out.end());
        return text(out);
    }

private:
    std::set<std::uint32_t> lines_in_use() const {
        std::set<std::uint32_t> lines;
        for (const auto& [key, value] : frontends_) {
            for (const auto& range : {value.cluster, value.external}) {
                for (auto slot = range.offset; checked_ && slot < range.offset + range.length; ++slot)
                    lines.insert(slot / 16);
            }
        }
        return lines;
    }
    // The addresses of all frontends, and no other.
    void check_vips() const {
        std::set<abi::address, AddressLess> addresses, known;
        for (const auto& [key, value] : frontends_) addresses.insert(key.address);
        for (const auto& [address, vip] : vips_) known.insert(address);
        ASSERT_EQ(known.size(), addresses.size());
        ASSERT_TRUE(std::ranges::equal(
            known, addresses, [](const auto& a, const auto& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }));
    }

    // Every slot that a packet can reach names a backend of the frontend's service port.
    void check() const {
        for (const auto& [key, value] : frontends_) {
            if (!checked_) return;
            ASSERT_TRUE(services_.contains(value.service_id));
            for (const auto& range : {value.cluster, value.external}) {
                for (auto slot = range.offset; slot < range.offset + range.length; ++slot) {
                    auto found = backends_.find(slots_.at(slot / 16).backend_id[slot % 16]);
                    ASSERT_TRUE(found != backends_.end());
                    ASSERT_EQ(found->second.service_id, value.service_id);
                }
            }
        }
    }

    Capacity capacity_;
    Layout layout_;
    std::map<std::uint32_t, abi::backend> backends_;
    std::map<std::uint32_t, abi::service_name> services_;
    std::map<abi::frontend_key, abi::frontend, FrontendKeyLess> frontends_;
    std::map<abi::address, abi::vip, AddressLess> vips_;
    std::set<abi::source_range_key, SourceRangeLess> source_ranges_;
    std::vector<abi::slot_line> slots_;
    bool checked_ = true;
};

}  // namespace weir::plan::test
