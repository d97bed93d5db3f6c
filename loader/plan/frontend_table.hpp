// SPDX-License-Identifier: Apache-2.0
// The content of the map `frontends`, and the entries that still take room there until they are deleted.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "loader/plan/hash.hpp"
#include "loader/plan/plan.hpp"
#include "loader/plan/vips.hpp"

namespace weir::plan {

struct FrontendKeyHash {
    std::size_t operator()(const abi::frontend_key& key) const noexcept {
        return combine(hash_bytes(key.address.bytes, 0), static_cast<std::uint64_t>(key.port_be) << 8 | key.protocol);
    }
};

struct FrontendKeyEqual {
    bool operator()(const abi::frontend_key& a, const abi::frontend_key& b) const {
        return std::memcmp(&a, &b, sizeof(a)) == 0;
    }
};

struct FrontendKeyLess {
    bool operator()(const abi::frontend_key& a, const abi::frontend_key& b) const {
        return std::memcmp(&a, &b, sizeof(a)) < 0;
    }
};

bool same(const abi::frontend& a, const abi::frontend& b);
abi::frontend_key frontend_key(const model::Address& address, std::uint16_t port, model::Protocol protocol);

class FrontendTable {
public:
    // nullptr: not there, or on its way out.
    const abi::frontend* find(const abi::frontend_key& key) const;
    // An entry on its way out still takes room: new entries are written before old ones are deleted.
    bool takes_room(const abi::frontend_key& key) const { return entries_.contains(key); }

    void set(const abi::frontend_key& key, const abi::frontend& value);
    void remove(const abi::frontend_key& key);

    // True: room was made.
    bool grace_period_passed();

    std::uint32_t used() const { return static_cast<std::uint32_t>(entries_.size()); }

    VipTable& vips() { return vips_; }

private:
    // Service id 0 marks an entry on its way out.
    std::unordered_map<abi::frontend_key, abi::frontend, FrontendKeyHash, FrontendKeyEqual> entries_;
    std::array<std::vector<abi::frontend_key>, 2> removed_;  // by the grace periods that they have seen
    VipTable vips_;
};

}  // namespace weir::plan
