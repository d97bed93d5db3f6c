// SPDX-License-Identifier: Apache-2.0
#include "loader/view/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::view {

std::string_view protocol_name(std::uint8_t protocol) {
    return model::to_string(static_cast<model::Protocol>(protocol));
}

std::string_view kind_name(std::uint8_t kind) {
    switch (kind) {
        case abi::FRONTEND_CLUSTER_IP:
            return "ClusterIP";
        case abi::FRONTEND_NODE_PORT:
            return "NodePort";
        case abi::FRONTEND_EXTERNAL_IP:
            return "ExternalIP";
        case abi::FRONTEND_LOAD_BALANCER:
            return "LoadBalancer";
        default:
            return "unknown";
    }
}

std::string_view action_name(std::uint8_t action) {
    switch (action) {
        case abi::SCOPE_BALANCE:
            return "balance";
        case abi::SCOPE_REJECT:
            return "no endpoints";
        case abi::SCOPE_NO_LOCAL:
            return "no local endpoints";
        case abi::SCOPE_CLOSED:
            return "closed";
        default:
            return "unknown";
    }
}

std::string_view state_name(plan::ServiceState state) {
    switch (state) {
        case plan::ServiceState::planned:
            return "planned";
        case plan::ServiceState::headless:
            return "headless";
        case plan::ServiceState::external_name:
            return "ExternalName";
        case plan::ServiceState::other_proxy:
            return "other proxy";
    }
    return "unknown";
}

std::string service_text(const abi::service_name& name) {
    return {name.name, ::strnlen(name.name, sizeof(name.name))};
}

std::string shortened(const std::vector<std::string>& items, std::size_t most) {
    if (items.empty()) return "-";
    std::string out;
    for (std::size_t i = 0; i < std::min(most, items.size()); ++i) out += (i ? "," : "") + items[i];
    if (items.size() > most) out += fmt::format(",+{}", items.size() - most);
    return out;
}

}  // namespace weir::view
