// SPDX-License-Identifier: Apache-2.0
// SNAT ports as `weir status` and `weir backends` show them.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "loader/view/node_view.hpp"
#include "loader/view/snat_view.hpp"

namespace weir::cli {

// The SNAT part of `weir status`. drops: packets with the verdict drop_no_snat_port.
boost::json::object snat_json(const view::SnatView& snat, const view::NodeView& view, std::uint64_t drops);
void print_snat(const boost::json::object& snat);

// A backend's line in `weir backends`: of the fullest of its pools.
boost::json::object snat_json(const view::SnatView& snat, const view::SnatEndpoint& endpoint);
std::string snat_text(const view::SnatView& snat, const view::SnatEndpoint& endpoint);

}  // namespace weir::cli
