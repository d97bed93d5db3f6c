// SPDX-License-Identifier: Apache-2.0
// The interfaces that the programs are attached to, as the datapath knows them.
#pragma once

#include "loader/datapath/attach.hpp"
#include "loader/net/links.hpp"
#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::agent {

// The datapath's view of an uplink.
abi::device device_of(const net::Link& link, const datapath::Attached& attached, const plan::NodeContext& node);

}  // namespace weir::agent
