// SPDX-License-Identifier: Apache-2.0
// The map `vips`, derived from the frontends: their addresses, and the fate of packets to them that no frontend wants.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "loader/plan/hash.hpp"
#include "loader/plan/map_changes.hpp"
#include "loader/plan/off_list.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

struct AddressHash {
    std::size_t operator()(const model::Address& address) const noexcept { return hash_bytes(address.bytes, 0); }
};

struct AbiAddressHash {
    std::size_t operator()(const abi::address& address) const noexcept { return hash_bytes(address.bytes, 0); }
};

struct AbiAddressEqual {
    bool operator()(const abi::address& a, const abi::address& b) const { return std::memcmp(&a, &b, sizeof(a)) == 0; }
};

class VipTable {
public:
    // Counts a frontend in, and out again.
    void add(const abi::frontend_key& key, const abi::frontend& value) { count(key, value, 1); }
    void remove(const abi::frontend_key& key, const abi::frontend& value) { count(key, value, -1); }

    // An address that another proxy serves: packets to it are passed on, also within the service range.
    void add_foreign(const model::Address& address);
    void remove_foreign(const model::Address& address);

    // Takes over the addresses that the map holds, and at the end of the adoption drops those without a frontend.
    void adopt(const std::vector<VipEntry>& vips);
    void finish_adoption();

    // Appends the changes since the last call. on, off: of the MapChanges that are being made.
    void flush(std::vector<VipEntry>& on, std::vector<abi::address>& off);

private:
    struct Vip {
        int frontends = 0;
        int of_node = 0;                       // of these: at an address of the node
        int open = 0;                          // of these: offered to uplinks
        std::optional<std::uint32_t> written;  // flags in the map
    };
    void count(const abi::frontend_key& key, const abi::frontend& value, int by);

    std::unordered_map<model::Address, Vip, AddressHash> vips_;
    std::unordered_set<model::Address, AddressHash> touched_;
    OffList<abi::address, AbiAddressHash, AbiAddressEqual> off_;
};

}  // namespace weir::plan
