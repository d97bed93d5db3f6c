// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/vips.hpp"

#include "loader/model/abi_address.hpp"

namespace weir::plan {

void VipTable::count(const abi::frontend_key& key, const abi::frontend& value, int by) {
    auto address = model::address_of(key.address);
    auto& vip = vips_[address];
    vip.frontends += by;
    if (value.flags & abi::FRONTEND_OF_NODE) vip.of_node += by;
    if (value.external_action != abi::SCOPE_CLOSED) vip.open += by;
    touched_.insert(address);
}

void VipTable::add_foreign(const model::Address& address) {
    ++vips_[address].frontends;
    ++vips_[address].of_node;
    touched_.insert(address);
}

void VipTable::remove_foreign(const model::Address& address) {
    --vips_[address].frontends;
    --vips_[address].of_node;
    touched_.insert(address);
}

void VipTable::adopt(const std::vector<VipEntry>& vips) {
    for (const auto& [address, vip] : vips) vips_[model::address_of(address)].written = vip.flags;
}

void VipTable::finish_adoption() {
    for (const auto& [address, vip] : vips_)
        if (vip.written) touched_.insert(address);
}

void VipTable::flush(std::vector<VipEntry>& on, std::vector<abi::address>& off) {
    for (const auto& address : touched_) {
        auto found = vips_.find(address);
        auto& vip = found->second;
        if (vip.frontends > 0) {
            std::uint32_t flags = 0;
            if (vip.of_node > 0)
                flags = abi::VIP_OF_NODE;
            else if (vip.open == 0)
                flags = abi::VIP_CLOSED_OUTSIDE;
            if (vip.written == flags) continue;
            vip.written = flags;
            off_.take_back(off, model::abi_address(address));
            on.emplace_back(model::abi_address(address), abi::vip{.flags = flags});
        } else {
            bool was_written = vip.written.has_value();
            vips_.erase(found);
            if (was_written) off_.add(off, model::abi_address(address));
        }
    }
    touched_.clear();
}

}  // namespace weir::plan
