// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/local_endpoints.hpp"

#include <algorithm>
#include <set>

#include "loader/plan/frontends.hpp"

namespace weir::plan {

namespace {

bool serves_a_port(const model::EndpointSlice& slice, const model::Service& service) {
    return std::ranges::any_of(slice.ports, [&](const auto& offered) {
        return offered.port && std::ranges::any_of(service.ports, [&](const auto& port) {
                   return port.name == offered.name && port.protocol == offered.protocol;
               });
    });
}

}  // namespace

std::uint16_t health_check_port(const model::Service& service) {
    bool has_one = service.type == model::ServiceType::load_balancer &&
                   service.external_traffic_policy == model::TrafficPolicy::local;
    return has_one ? service.health_check_node_port : std::uint16_t{0};
}

std::uint32_t ready_local_endpoints(const model::Service& service, const std::vector<model::EndpointSlice>& slices,
                                    const NodeContext& node) {
    if (node.name.empty()) return 0;
    std::size_t most = 0;
    for (auto family : families_of(service, node)) {
        std::set<model::Address> addresses;
        for (const auto& slice : slices) {
            if (slice.fqdn || slice.family != family || !serves_a_port(slice, service)) continue;
            for (const auto& endpoint : slice.endpoints) {
                if (endpoint.ready && endpoint.node_name == node.name && !endpoint.addresses.empty())
                    addresses.insert(endpoint.addresses.front());
            }
        }
        most = std::max(most, addresses.size());
    }
    return static_cast<std::uint32_t>(most);
}

}  // namespace weir::plan
