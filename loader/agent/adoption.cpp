// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/adoption.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <utility>

#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"

namespace weir::agent {

void Adoption::adopted() {
    state_ = State::adopting;
}

std::set<model::ObjectName> Adoption::source_read(bool is_synced) {
    if (state_ == State::adopting || state_ == State::held) state_ = is_synced ? State::adopting : State::held;
    if (!may_remove()) return {};
    return std::exchange(held_back_, {});
}

bool Adoption::holds_back(const plan::ServicePlan& plan, bool is_served) {
    bool has_backends = std::ranges::any_of(plan.ports, [](const auto& port) { return !port.sets.empty(); });
    if (may_remove() || !is_served || has_backends) return false;
    held_back_.insert(plan.service);
    return true;
}

bool Adoption::planned() {
    if (state_ == State::held) return false;
    return std::exchange(state_, State::settled) == State::adopting;
}

bool Adoption::written() {
    return !std::exchange(is_written_, true);
}

std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents) {
    std::map<std::uint32_t, std::string> names;
    for (const auto& [id, name] : contents.services) names[id] = view::service_text(name);
    std::vector<plan::Planner::Held> held;
    for (const auto& [key, value] : contents.frontends) {
        auto name = names.find(value.service_id);
        if (name == names.end()) continue;
        held.push_back({name->second, static_cast<abi::frontend_kind>(value.kind), model::address_of(key.address),
                        ntohs(key.port_be), static_cast<model::Protocol>(key.protocol)});
    }
    return held;
}

}  // namespace weir::agent
