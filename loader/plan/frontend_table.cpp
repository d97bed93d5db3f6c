// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/frontend_table.hpp"

#include <arpa/inet.h>

#include <utility>

#include "loader/model/abi_address.hpp"

namespace weir::plan {

bool same(const abi::frontend& a, const abi::frontend& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

abi::frontend_key frontend_key(const model::Address& address, std::uint16_t port, model::Protocol protocol) {
    abi::frontend_key key{};
    key.address = model::abi_address(address);
    key.port_be = htons(port);
    key.protocol = static_cast<std::uint8_t>(protocol);
    return key;
}

const abi::frontend* FrontendTable::find(const abi::frontend_key& key) const {
    auto found = entries_.find(key);
    return found == entries_.end() || found->second.service_id == 0 ? nullptr : &found->second;
}

void FrontendTable::set(const abi::frontend_key& key, const abi::frontend& value) {
    auto& entry = entries_[key];
    if (entry.service_id != 0) vips_.remove(key, entry);
    entry = value;
    if (entry.service_id != 0) vips_.add(key, entry);
}

void FrontendTable::remove(const abi::frontend_key& key) {
    set(key, {});
    removed_[0].push_back(key);
}

bool FrontendTable::grace_period_passed() {
    bool freed = false;
    for (const auto& key : removed_[1]) {
        auto found = entries_.find(key);
        if (found == entries_.end() || found->second.service_id != 0) continue;
        entries_.erase(found);
        freed = true;
    }
    removed_[1] = std::exchange(removed_[0], {});
    return freed;
}

}  // namespace weir::plan
