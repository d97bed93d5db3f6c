// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/vips.hpp"

#include <algorithm>

namespace weir::plan {

namespace {

model::Address address_of(const abi::address& address) {
    model::Address out;
    std::ranges::copy(address.bytes, out.bytes.begin());
    return out;
}

abi::address abi_address(const model::Address& address) {
    abi::address out{};
    std::ranges::copy(address.bytes, out.bytes);
    return out;
}

}  // namespace

void VipTable::count(const abi::frontend_key& key, const abi::frontend& value, int by) {
    auto address = address_of(key.address);
    auto& counts = counts_[address];
    counts.frontends += by;
    if (value.flags & abi::FRONTEND_OF_NODE) counts.of_node += by;
    if (value.external_action != abi::SCOPE_CLOSED) counts.open += by;
    touched_.insert(address);
}

void VipTable::add_foreign(const model::Address& address) {
    ++counts_[address].frontends;
    ++counts_[address].of_node;
    touched_.insert(address);
}

void VipTable::remove_foreign(const model::Address& address) {
    --counts_[address].frontends;
    --counts_[address].of_node;
    touched_.insert(address);
}

void VipTable::adopt(const On& vips) {
    for (const auto& [address, vip] : vips) written_[address_of(address)] = vip.flags;
}

void VipTable::finish_adoption() {
    for (const auto& [address, flags] : written_) touched_.insert(address);
}

void VipTable::flush(On& on, Off& off) {
    for (const auto& address : touched_) {
        auto counts = counts_.find(address);
        auto written = written_.find(address);
        if (counts != counts_.end() && counts->second.frontends > 0) {
            std::uint32_t flags = 0;
            if (counts->second.of_node > 0)
                flags = abi::VIP_OF_NODE;
            else if (counts->second.open == 0)
                flags = abi::VIP_CLOSED_OUTSIDE;
            if (written != written_.end() && written->second == flags) continue;
            written_[address] = flags;
            off_.take_back(off, abi_address(address));
            on.emplace_back(abi_address(address), abi::vip{.flags = flags});
        } else {
            if (counts != counts_.end()) counts_.erase(counts);
            if (written == written_.end()) continue;
            written_.erase(written);
            off_.add(off, abi_address(address));
        }
    }
    touched_.clear();
}

}  // namespace weir::plan
