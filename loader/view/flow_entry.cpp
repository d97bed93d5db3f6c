// SPDX-License-Identifier: Apache-2.0
#include "loader/view/flow_entry.hpp"

#include <arpa/inet.h>

#include <cstring>

#include "loader/model/abi_address.hpp"

namespace weir::view {

std::string_view FlowKey::assured_table() const {
    if (v4_.protocol == static_cast<std::uint8_t>(model::Protocol::tcp)) return ipv4_ ? "flows4" : "flows6";
    return ipv4_ ? "flows4_udp" : "flows6_udp";
}

FlowKey::FlowKey(const Tuple& tuple) : ipv4_(tuple.source.family() == model::Family::ipv4) {
    auto protocol = static_cast<std::uint8_t>(tuple.protocol);
    v4_ = {.source_be = tuple.source.ipv4_be(),
           .destination_be = tuple.destination.ipv4_be(),
           .source_port_be = htons(tuple.source_port),
           .destination_port_be = htons(tuple.destination_port),
           .protocol = protocol,
           .pad = {}};
    v6_ = {.source = model::abi_address(tuple.source),
           .destination = model::abi_address(tuple.destination),
           .source_port_be = htons(tuple.source_port),
           .destination_port_be = htons(tuple.destination_port),
           .protocol = protocol,
           .pad = {}};
}

Tuple FlowEntry::rewritten(model::Protocol protocol) const {
    const auto& ports = flow();
    return {
        .protocol = protocol,
        .source = ipv4_ ? model::Address::from_ipv4_be(v4_.source_be) : model::address_of(v6_.source),
        .source_port = ntohs(ports.source_port_be),
        .destination = ipv4_ ? model::Address::from_ipv4_be(v4_.destination_be) : model::address_of(v6_.destination),
        .destination_port = ntohs(ports.destination_port_be)};
}

abi::flow6 direction_of(const abi::flow_pair& pair, bool reply) {
    abi::flow6 flow = reply ? pair.reply : pair.forward;
    if (pair.family != 4) return flow;
    abi::flow4 v4;
    std::memcpy(&v4, &flow, sizeof(v4));
    flow.source = model::abi_address(v4.source_be);
    flow.destination = model::abi_address(v4.destination_be);
    return flow;
}

namespace {

// The tuple of a direction is what the other one makes, turned around.
bool is_direction(const abi::flow_pair& pair, bool reply, const Tuple& tuple) {
    auto other = direction_of(pair, !reply);
    return static_cast<std::uint8_t>(tuple.protocol) == pair.protocol &&
           model::address_of(other.destination) == tuple.source &&
           model::address_of(other.source) == tuple.destination &&
           ntohs(other.flow.destination_port_be) == tuple.source_port &&
           ntohs(other.flow.source_port_be) == tuple.destination_port;
}

}  // namespace

UnassuredRing::UnassuredRing(int map_fd) : map_(maps::view<maps::FlowPairMap>(map_fd)) {}

// visit(index, pair) for each pair that is alive.
template <class Visit>
void UnassuredRing::for_each(Visit visit) const {
    map_.for_each([&](std::uint32_t index, const abi::flow_pair& pair) {
        if (pair.family) visit(index, pair);
    });
}

std::optional<FlowEntry> UnassuredRing::find(const Tuple& tuple) const {
    std::optional<FlowEntry> found;
    for_each([&](std::uint32_t, const abi::flow_pair& pair) {
        for (bool reply : {false, true}) {
            if (!is_direction(pair, reply, tuple)) continue;
            found.emplace(tuple.source.family());
            bool ipv4 = pair.family == 4;
            std::memcpy(found->data(), reply ? &pair.reply : &pair.forward,
                        ipv4 ? sizeof(abi::flow4) : sizeof(abi::flow6));
        }
    });
    return found;
}

// An element of an array can always be written: there is no error to hand on.
void UnassuredRing::erase(const Tuple& tuple) {
    const abi::flow_pair none{};
    for_each([&](std::uint32_t index, const abi::flow_pair& pair) {
        if (is_direction(pair, false, tuple) || is_direction(pair, true, tuple)) (void)map_.update(index, none);
    });
}

void UnassuredRing::clear() {
    const abi::flow_pair none{};
    for_each([&](std::uint32_t index, const abi::flow_pair&) { (void)map_.update(index, none); });
}

}  // namespace weir::view
