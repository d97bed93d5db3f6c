// SPDX-License-Identifier: Apache-2.0
#include "loader/view/snat_view.hpp"

#include <cerrno>
#include <utility>

#include "loader/view/config_in_force.hpp"

namespace weir::view {

std::expected<SnatView, std::string> read_snat(const maps::PinPaths& pins, const SnatRange& configured) {
    SnatView snat{.range = configured, .uses = {}, .fullest = {}};
    auto frontends = maps::open_map<maps::FrontendMap>(pins, "frontends");
    if (!frontends) return std::unexpected(frontends.error());
    if (auto in_force = config_in_force(frontends->fd()))
        snat.range = {in_force->snat_port_min, in_force->snat_port_max};

    auto usage = maps::SnatUsageMap::open(pins.map("snat_usage"));
    if (!usage && usage.error().value() == ENOENT) return snat;
    if (!usage) return std::unexpected("map snat_usage: " + usage.error().message());
    auto uses = read_snat_ports(*usage, snat.range);
    if (!uses) return std::unexpected(uses.error());
    snat.uses = std::move(*uses);
    snat.fullest = fullest_pools(snat.uses);
    return snat;
}

}  // namespace weir::view
