// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/entries.hpp"

#include <arpa/inet.h>

#include "loader/model/abi_address.hpp"

namespace weir::plan {

std::uint8_t flags_of(const ServicePortPlan& plan, const Frontend& frontend) {
    std::uint8_t flags = 0;
    if (frontend.restricted) flags |= abi::FRONTEND_SOURCE_RANGES;
    if (plan.affinity_seconds) flags |= abi::FRONTEND_AFFINITY;
    if (frontend.of_node) flags |= abi::FRONTEND_OF_NODE;
    return flags;
}

std::uint32_t affinity_ticks(const ServicePortPlan& plan) {
    return static_cast<std::uint32_t>(plan.affinity_seconds.value_or(0) * std::uint64_t{1'000'000'000} >>
                                      abi::TICK_SHIFT);
}

std::uint8_t members_of(const ServicePortPlan& plan, const Scope& scope) {
    if (!plan.affinity_seconds || scope.action != abi::SCOPE_BALANCE) return 0;
    return scope.local ? abi::BACKEND_IN_LOCAL_SET : abi::BACKEND_IN_CLUSTER_SET;
}

abi::source_range_key source_range_key(const model::Cidr& range, std::uint32_t service_id) {
    abi::source_range_key key{};
    key.prefix_length = 32 + range.mapped_length();
    key.service_id_be = htonl(service_id);
    key.address = model::abi_address(range.base);
    return key;
}

}  // namespace weir::plan
