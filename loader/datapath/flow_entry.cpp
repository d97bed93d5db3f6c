// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/flow_entry.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "maps/map.hpp"

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

abi::flow6 direction_of(const abi::flow_pair& pair, bool reply) {
    abi::flow6 flow = reply ? pair.reply : pair.forward;
    if (pair.family != 4) return flow;
    abi::flow4 v4;
    std::memcpy(&v4, &flow, sizeof(v4));
    flow.source = abi_address(model::Address::from_ipv4(ntohl(v4.source_be)));
    flow.destination = abi_address(model::Address::from_ipv4(ntohl(v4.destination_be)));
    return flow;
}

namespace {

// The tuple of a direction is what the other one makes, turned around.
bool is_direction(const abi::flow_pair& pair, bool reply, const Tuple& tuple) {
    auto other = direction_of(pair, !reply);
    return static_cast<std::uint8_t>(tuple.protocol) == pair.protocol &&
           model_address(other.destination) == tuple.source && model_address(other.source) == tuple.destination &&
           ntohs(other.flow.destination_port_be) == tuple.source_port &&
           ntohs(other.flow.source_port_be) == tuple.destination_port;
}

}  // namespace

// visit(index, pair); true ends the walk.
template <class Visit>
void UnassuredRing::for_each(Visit visit) const {
    constexpr std::uint32_t chunk = 1024;
    std::vector<std::uint32_t> keys(chunk);
    std::vector<abi::flow_pair> pairs(chunk);
    std::uint32_t position = 0;
    for (bool started = false;; started = true) {
        std::uint32_t count = chunk;
        auto error =
            maps::raw::lookup_batch(fd_, started ? &position : nullptr, &position, keys.data(), pairs.data(), count);
        if (error && error.value() != ENOENT) return;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (pairs[i].family && visit(keys[i], pairs[i])) return;
        }
        if (error) return;
    }
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
        return found.has_value();
    });
    return found;
}

void UnassuredRing::erase(const Tuple& tuple) {
    const abi::flow_pair none{};
    for_each([&](std::uint32_t index, const abi::flow_pair& pair) {
        if (!is_direction(pair, false, tuple) && !is_direction(pair, true, tuple)) return false;
        maps::raw::update(fd_, &index, &none);
        return true;
    });
}

void UnassuredRing::clear() {
    const abi::flow_pair none{};
    for_each([&](std::uint32_t index, const abi::flow_pair&) {
        maps::raw::update(fd_, &index, &none);
        return false;
    });
}

}  // namespace weir::datapath
