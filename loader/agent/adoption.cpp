// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/adoption.hpp"

#include <netinet/in.h>

#include <map>

#include "loader/view/names.hpp"

namespace weir::agent {

std::vector<plan::Planner::Held> held_frontends(const plan::MapContents& contents) {
    std::map<std::uint32_t, std::string> names;
    for (const auto& [id, name] : contents.services) names[id] = view::service_text(name);
    std::vector<plan::Planner::Held> held;
    for (const auto& [key, value] : contents.frontends) {
        auto name = names.find(value.service_id);
        if (name == names.end()) continue;
        held.push_back({name->second, static_cast<abi::frontend_kind>(value.kind), view::address_of(key.address),
                        ntohs(key.port_be), static_cast<model::Protocol>(key.protocol)});
    }
    return held;
}

}  // namespace weir::agent
