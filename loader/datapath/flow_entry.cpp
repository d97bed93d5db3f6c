// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/flow_entry.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace weir::datapath {

abi::address abi_address(const model::Address& address) {
    abi::address out{};
    std::ranges::copy(address.bytes, out.bytes);
    return out;
}

model::Address model_address(const abi::address& address) {
    model::Address out;
    std::ranges::copy(address.bytes, out.bytes.begin());
    return out;
}

FlowKey::FlowKey(const Tuple& tuple) : ipv4_(tuple.source.family() == model::Family::ipv4) {
    auto protocol = static_cast<std::uint8_t>(tuple.protocol);
    v4_ = {.source_be = htonl(tuple.source.ipv4()),
           .destination_be = htonl(tuple.destination.ipv4()),
           .source_port_be = htons(tuple.source_port),
           .destination_port_be = htons(tuple.destination_port),
           .protocol = protocol,
           .pad = {}};
    v6_ = {.source = abi_address(tuple.source),
           .destination = abi_address(tuple.destination),
           .source_port_be = htons(tuple.source_port),
           .destination_port_be = htons(tuple.destination_port),
           .protocol = protocol,
           .pad = {}};
}

Tuple FlowEntry::rewritten(model::Protocol protocol) const {
    const auto& ports = flow();
    return {
        .protocol = protocol,
        .source = ipv4_ ? model::Address::from_ipv4(ntohl(v4_.source_be)) : model_address(v6_.source),
        .source_port = ntohs(ports.source_port_be),
        .destination = ipv4_ ? model::Address::from_ipv4(ntohl(v4_.destination_be)) : model_address(v6_.destination),
        .destination_port = ntohs(ports.destination_port_be)};
}

}  // namespace weir::datapath
