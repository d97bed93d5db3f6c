// SPDX-License-Identifier: Apache-2.0
// The maps of a node as the listing commands read them: services, frontends and the backends behind each.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::view {

struct NodeView {
    std::unordered_map<std::uint32_t, std::string> services;
    std::vector<std::pair<abi::frontend_key, abi::frontend>> frontends;  // by service name, kind, address, port
    std::map<std::uint32_t, abi::backend> backends;

    const std::string& service(std::uint32_t id) const;
};

std::expected<NodeView, std::string> read_node(const maps::PinPaths& pins);

// The distinct backend ids in a slot range, with the share of slots that each has, by id.
std::expected<std::map<std::uint32_t, std::uint32_t>, std::string> slot_shares(const maps::SlotMap& slots,
                                                                               const abi::slot_range& range);

}  // namespace weir::view
