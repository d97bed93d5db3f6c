// SPDX-License-Identifier: Apache-2.0
// The Services that hold addresses, ports and NodePorts. Each has one holder; others that want it wait in line.
#pragma once

#include <compare>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "loader/plan/hash.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

// Three sorts of things are claimed:
//   a frontend            address, port, protocol
//   a ClusterIP           address, port 0, protocol 0: the address as a whole
//   a NodePort            unspecified address, port, protocol: on every node
struct ClaimKey {
    model::Address address;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;

    static ClaimKey frontend(const model::Address& address, std::uint16_t port, model::Protocol protocol) {
        return {.address = address, .port = port, .protocol = static_cast<std::uint8_t>(protocol)};
    }
    static ClaimKey cluster_ip(const model::Address& address) { return {.address = address}; }
    static ClaimKey node_port(std::uint16_t port, model::Protocol protocol) {
        return {.address = {}, .port = port, .protocol = static_cast<std::uint8_t>(protocol)};
    }
    auto operator<=>(const ClaimKey&) const = default;
};

// Sets of keys are sorted vectors: a Service has few, and there are many Services.
using ClaimSet = std::vector<ClaimKey>;
ClaimSet claim_set(std::vector<ClaimKey> keys);
ClaimSet difference(const ClaimSet& from, const ClaimSet& without);

struct ClaimKeyHash {
    std::size_t operator()(const ClaimKey& key) const noexcept {
        return combine(hash_bytes(key.address.bytes, 0), static_cast<std::uint64_t>(key.port) << 8 | key.protocol);
    }
};

class Claims {
public:
    // A Service by its name, which must stay where it is while it claims anything.
    using Owner = const model::ObjectName*;

    // Returns the holder; nullptr: the key is free.
    Owner holder(const ClaimKey& key) const;

    // Gives a free key to the claimant, or puts it at the end of the line. Claiming again changes nothing.
    void claim(const ClaimKey& key, Owner claimant);

    // Takes the key from the owner, or the owner out of the line. True: the key is free and others wait for promote().
    bool withdraw(const ClaimKey& key, Owner owner);

    // Gives a free key to the Service that has waited longest and returns it; nullptr: none waits, or it is not free.
    Owner promote(const ClaimKey& key);

private:
    std::unordered_map<ClaimKey, Owner, ClaimKeyHash> holders_;
    std::unordered_map<ClaimKey, std::vector<Owner>, ClaimKeyHash> waiting_;
};

}  // namespace weir::plan
