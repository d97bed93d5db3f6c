// SPDX-License-Identifier: Apache-2.0
#include "loader/view/snat_ports.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace weir::view {

namespace {

std::strong_ordering compare(const abi::address& a, const abi::address& b) {
    return std::memcmp(a.bytes, b.bytes, sizeof(a.bytes)) <=> 0;
}

SnatUse use_of(const abi::snat_usage_key& key, const abi::snat_usage& usage, const SnatRange& range) {
    SnatUse use;
    use.pool = {key.source, {key.backend, key.backend_port_be, key.protocol}};
    // Packets do not wait for the walk: a port that changes hands meanwhile may be counted for both.
    use.kept = std::min(usage.kept, range.size());
    use.yielding = std::min(usage.yielding, range.size() - use.kept);
    return use;
}

}  // namespace

std::strong_ordering SnatEndpoint::operator<=>(const SnatEndpoint& other) const {
    auto order = compare(address, other.address);
    return order != 0 ? order : std::tie(port_be, protocol) <=> std::tie(other.port_be, other.protocol);
}

std::strong_ordering SnatPool::operator<=>(const SnatPool& other) const {
    auto order = endpoint <=> other.endpoint;
    return order != 0 ? order : compare(source, other.source);
}

SnatEndpoint endpoint_of(const abi::backend& backend) {
    return {backend.address, backend.port_be, backend.protocol};
}

std::expected<std::vector<SnatUse>, std::string> read_snat_ports(const maps::SnatUsageMap& usage,
                                                                 const SnatRange& range, std::uint32_t at_least) {
    std::vector<SnatUse> uses;
    auto error = usage.for_each([&](const auto& key, const auto& value) {
        // A sweep that is under way has made it and not counted it through.
        if (value.kept + value.yielding == 0 || value.kept < at_least) return;
        uses.push_back(use_of(key, value, range));
    });
    if (error) return std::unexpected("map snat_usage: " + error.message());
    auto order = [](const SnatUse& use) {
        return std::make_tuple(-std::int64_t{use.kept}, -std::int64_t{use.yielding}, use.pool);
    };
    std::ranges::sort(uses, {}, order);
    return uses;
}

std::map<SnatEndpoint, SnatUse> fullest_pools(const std::vector<SnatUse>& uses) {
    std::map<SnatEndpoint, SnatUse> pools;
    for (const auto& use : uses) {
        auto& fullest = pools[use.pool.endpoint];
        if (fullest.ports() < use.ports()) fullest = use;
    }
    return pools;
}

}  // namespace weir::view
