// SPDX-License-Identifier: Apache-2.0
// One entry of the flow tables, whatever its family.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "loader/model/address.hpp"
#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::view {

// One direction of a connection as seen on the wire. Ports in host order.
struct Tuple {
    model::Protocol protocol = model::Protocol::tcp;
    model::Address source;
    std::uint16_t source_port = 0;
    model::Address destination;
    std::uint16_t destination_port = 0;

    Tuple reversed() const { return {protocol, destination, destination_port, source, source_port}; }
    bool operator==(const Tuple&) const = default;
};

class FlowKey {
public:
    explicit FlowKey(const Tuple& tuple);
    const void* data() const { return ipv4_ ? static_cast<const void*>(&v4_) : &v6_; }
    std::string_view assured_table() const;

private:
    bool ipv4_;
    abi::flow4_key v4_{};
    abi::flow6_key v6_{};
};

class FlowEntry {
public:
    explicit FlowEntry(model::Family family) : ipv4_(family == model::Family::ipv4) {}
    void* data() { return ipv4_ ? static_cast<void*>(&v4_) : &v6_; }
    const abi::flow& flow() const { return ipv4_ ? v4_.flow : v6_.flow; }
    // Returns the tuple of a packet of the flow after the rewrite.
    Tuple rewritten(model::Protocol protocol) const;

private:
    bool ipv4_;
    abi::flow4 v4_{};
    abi::flow6 v6_{};
};

// One direction of a pair, with addresses in the 16-byte form whatever the pair's family is.
abi::flow6 direction_of(const abi::flow_pair& pair, bool reply);

// A ring of unassured flows, read from outside: element by element, since the index is the datapath's.
class UnassuredRing {
public:
    // Keeps a file descriptor of its own.
    explicit UnassuredRing(int map_fd);
    // Returns the entry that a packet of this tuple would find.
    std::optional<FlowEntry> find(const Tuple& tuple) const;
    // Erases both directions.
    void erase(const Tuple& tuple);
    void clear();

private:
    template <class Visit>
    void for_each(Visit visit) const;
    maps::FlowPairMap map_;
};

}  // namespace weir::view
