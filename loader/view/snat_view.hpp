// SPDX-License-Identifier: Apache-2.0
// The SNAT ports of a node, as the last sweep has counted them, read from the pinned maps.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "loader/view/snat_ports.hpp"
#include "maps/pins.hpp"

namespace weir::view {

struct SnatView {
    SnatRange range;            // of the programs in force
    std::vector<SnatUse> uses;  // empty where an older weir, which does not count, serves
    std::map<SnatEndpoint, SnatUse> fullest;
};
// configured: the range of the configuration file, which counts where no program is loaded.
std::expected<SnatView, std::string> read_snat(const maps::PinPaths& pins, const SnatRange& configured);

}  // namespace weir::view
