// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/attachments.hpp"

#include "loader/net/roles.hpp"

namespace weir::agent {

abi::device device_of(const net::Link& link, const datapath::Attached& attached, const plan::NodeContext& node) {
    abi::device device{};
    device.flags = abi::DEVICE_UPLINK;
    if (attached.xdp_xmit) device.flags |= abi::DEVICE_XDP_XMIT;
    net::set_source_addresses(device, link, node.addresses);
    return device;
}

}  // namespace weir::agent
