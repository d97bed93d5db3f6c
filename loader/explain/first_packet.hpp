// SPDX-License-Identifier: Apache-2.0
// The first packet of a connection, as octets on the wire: a TCP SYN, an empty UDP datagram, an SCTP INIT.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loader/view/flow_entry.hpp"

namespace weir::explain {

using Frame = std::vector<std::uint8_t>;

// Ethernet frame with right lengths and checksums. Both addresses are of one family.
Frame first_packet(const view::Tuple& tuple);

// Addresses and ports of such a frame after the programs have rewritten it.
view::Tuple tuple_of(std::span<const std::uint8_t> frame);

}  // namespace weir::explain
