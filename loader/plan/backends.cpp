// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/backends.hpp"

#include <arpa/inet.h>

#include <cstring>

#include "loader/model/abi_address.hpp"

namespace weir::plan {

namespace {

Backend backend_of(const abi::backend& entry) {
    return {model::address_of(entry.address), ntohs(entry.port_be)};
}

}  // namespace

abi::backend backend_entry(const Backend& backend, model::Protocol protocol, std::uint32_t service_id) {
    abi::backend entry{};
    entry.address = model::abi_address(backend.address);
    entry.port_be = htons(backend.port);
    entry.protocol = static_cast<std::uint8_t>(protocol);
    entry.flags = abi::BACKEND_IN_USE;
    entry.service_id = service_id;
    return entry;
}

bool same(const abi::backend& a, const abi::backend& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

BackendTable::BackendTable(std::uint32_t entries) : ids_(entries > 0 ? entries - 1 : 0) {}

Backend BackendTable::backend(std::uint32_t id) const {
    return backend_of(entries_[id]);
}

std::optional<std::uint32_t> BackendTable::returning(std::uint32_t service_id, const Backend& backend) const {
    auto found = returning_.find({service_id, backend});
    if (found == returning_.end()) return {};
    return found->second;
}

void BackendTable::store(std::uint32_t id, const abi::backend& entry) {
    if (entries_.size() <= id) entries_.resize(id + 1);
    entries_[id] = entry;
}

std::uint32_t BackendTable::add(const abi::backend& entry) {
    std::uint32_t id = 0;
    if (auto old = returning_.find({entry.service_id, backend_of(entry)}); old != returning_.end()) {
        id = old->second;
        returning_.erase(old);
        ids_.revive(id);
    } else {
        id = ids_.take().value();
    }
    store(id, entry);
    return id;
}

void BackendTable::remove(std::uint32_t id) {
    entries_[id].flags = 0;
    returning_.insert_or_assign(identity(id), id);
    ids_.retire(id);
}

bool BackendTable::adopt(std::uint32_t id, const abi::backend& entry) {
    if (!ids_.claim(id)) return false;
    store(id, entry);
    return true;
}

bool BackendTable::grace_period_passed() {
    auto freed = ids_.grace_period_passed();
    for (auto id : freed) {
        auto old = returning_.find(identity(id));
        if (old != returning_.end() && old->second == id) returning_.erase(old);
    }
    return !freed.empty();
}

}  // namespace weir::plan
