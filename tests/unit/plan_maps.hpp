// SPDX-License-Identifier: Apache-2.0
// A layout and the maps in memory that its changes are written to; service plans in one expression.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "loader/apply/write_order.hpp"
#include "loader/model/abi_address.hpp"
#include "tests/fakes/checked_maps.hpp"
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

// A layout and maps in memory that its changes are written to. The maps check every state.
class Kernel : public fakes::CheckedMaps {
public:
    explicit Kernel(Capacity capacity) : CheckedMaps(capacity), layout_(capacity) {}

    Layout& layout() { return layout_; }

    MapChanges update(const ServicePlan& plan, std::vector<model::Problem>* problems = nullptr) {
        MapChanges changes;
        auto said = layout_.update(plan, changes);
        if (problems)
            *problems = said;
        else
            EXPECT_TRUE(said.empty()) << text(said);
        apply(changes);
        EXPECT_THAT(faults_at_rest(), testing::IsEmpty());
        return changes;
    }

    void apply(const MapChanges& changes) {
        auto written = apply::write(*this, changes);
        EXPECT_TRUE(written) << written.error();
        ASSERT_THAT(violations(), testing::IsEmpty());
    }

    // Replaces the agent by a new one.
    MapChanges restart(const MapContents& contents, const std::vector<ServicePlan>& plans) {
        layout_ = Layout(capacity_);
        layout_.adopt(contents);
        MapChanges changes;
        for (const auto& plan : plans) layout_.update(plan, changes);
        apply(changes);
        auto last = layout_.finish_adoption();
        apply(last);
        EXPECT_THAT(faults_at_rest(), testing::IsEmpty());
        changes.frontends_off.insert(changes.frontends_off.end(), last.frontends_off.begin(), last.frontends_off.end());
        changes.services_off.insert(changes.services_off.end(), last.services_off.begin(), last.services_off.end());
        changes.backends_off.insert(changes.backends_off.end(), last.backends_off.begin(), last.backends_off.end());
        return changes;
    }

    // Returns the flags of a VIP, or nothing if there is no such VIP.
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
    // Returns the backends that scope cluster reaches.
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
    Layout layout_;
};

}  // namespace weir::plan::test
