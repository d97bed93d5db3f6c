// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/backends.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace weir::plan {

abi::backend backend_entry(const Backend& backend, model::Protocol protocol, std::uint32_t service_id) {
    abi::backend entry{};
    std::ranges::copy(backend.address.bytes, entry.address.bytes);
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
    Backend backend;
    std::ranges::copy(entries_[id].address.bytes, backend.address.bytes.begin());
    backend.port = ntohs(entries_[id].port_be);
    return backend;
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
    Backend backend;
    std::ranges::copy(entry.address.bytes, backend.address.bytes.begin());
    backend.port = ntohs(entry.port_be);
    std::uint32_t id = 0;
    if (auto old = returning_.find({entry.service_id, backend}); old != returning_.end()) {
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
