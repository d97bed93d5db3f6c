// SPDX-License-Identifier: Apache-2.0
// SNAT ports as `weir status` and `weir backends` show them.
#pragma once

#include <boost/json.hpp>
#include <expected>
#include <map>
#include <string>
#include <vector>

#include "loader/cli/config.hpp"
#include "loader/cli/node_view.hpp"
#include "loader/datapath/snat_ports.hpp"

namespace weir::cli {

// As the last sweep has counted them, of the pinned maps.
struct SnatView {
    datapath::SnatRange range;            // of the programs in force
    std::vector<datapath::SnatUse> uses;  // empty where an older weir, which does not count, serves
    std::map<datapath::SnatEndpoint, datapath::SnatUse> fullest;
};
std::expected<SnatView, std::string> read_snat(const Config& config);

// What `weir status` says. drops: packets with the verdict drop_no_snat_port.
boost::json::object snat_json(const SnatView& snat, const NodeView& view, std::uint64_t drops);
void print_snat(const boost::json::object& snat);

// A backend's line in `weir backends`: of the fullest of its pools.
boost::json::object snat_json(const SnatView& snat, const datapath::SnatEndpoint& endpoint);
std::string snat_text(const SnatView& snat, const datapath::SnatEndpoint& endpoint);

}  // namespace weir::cli
