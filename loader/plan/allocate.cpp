// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/allocate.hpp"

#include "loader/plan/hash.hpp"

namespace weir::plan {

namespace {

using model::Address;
using model::Cidr;
using model::Family;

constexpr std::uint64_t cluster_ip_seed = 3;
constexpr std::uint64_t node_port_seed = 4;

// Returns how many addresses can be given out: base + 1 to base + count.
std::uint64_t usable_addresses(const Cidr& range) {
    bool ipv4 = range.base.family() == Family::ipv4;
    unsigned host_bits = (ipv4 ? 32u : 128u) - range.length;
    if (host_bits >= 64) return ~0ull >> 1;  // more than anyone can use; the arithmetic below stays in 64 bits
    std::uint64_t reserved = ipv4 ? 2 : 1;
    std::uint64_t all = 1ull << host_bits;
    return all > reserved ? all - reserved : 0;
}

Address plus(const Address& base, std::uint64_t offset) {
    Address sum = base;
    unsigned carry = 0;
    for (std::size_t i = sum.bytes.size(); i-- > 0 && (offset || carry); offset >>= 8) {
        unsigned byte = sum.bytes[i] + static_cast<unsigned>(offset & 0xff) + carry;
        sum.bytes[i] = static_cast<std::uint8_t>(byte);
        carry = byte >> 8;
    }
    return sum;
}

}  // namespace

std::optional<Address> allocate_cluster_ip(const Cidr& range, std::string_view service, const AddressFree& free) {
    std::uint64_t count = usable_addresses(range);
    if (count == 0) return {};
    std::uint64_t family = range.base.family() == Family::ipv4 ? 4 : 6;
    std::uint64_t first = combine(hash_bytes(service, cluster_ip_seed), family) % count;
    for (std::uint64_t i = 0; i < count; ++i) {
        // first and i are below 2^63.
        Address candidate = plus(range.base, 1 + (first + i) % count);
        if (free(candidate)) return candidate;
    }
    return {};
}

bool is_allocatable(const Cidr& range, const Address& address) {
    if (!range.contains(address) || address == range.base) return false;
    if (range.base.family() == Family::ipv6) return true;
    std::uint64_t count = usable_addresses(range);
    return count > 0 && address != plus(range.base, count + 1);
}

std::optional<std::uint16_t> allocate_node_port(const NodeContext& node, std::string_view service_port,
                                                model::Protocol protocol, const PortFree& free) {
    if (node.node_port_min == 0 || node.node_port_max < node.node_port_min) return {};
    std::uint32_t count = node.node_port_max - node.node_port_min + 1u;
    auto hash = combine(hash_bytes(service_port, node_port_seed), static_cast<std::uint64_t>(protocol));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto candidate = static_cast<std::uint16_t>(node.node_port_min + (hash % count + i) % count);
        if (free(candidate)) return candidate;
    }
    return {};
}

}  // namespace weir::plan
