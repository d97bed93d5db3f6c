// SPDX-License-Identifier: Apache-2.0
// The ports that the kernel may choose for the node's own connections. SNAT must not use them: a reply to the one would
// be taken for a reply to the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::net {

struct PortRange {
    std::uint16_t first = 0, last = 0;  // both inclusive
    std::uint32_t size() const { return last - first + 1u; }
    // Returns how many ports this share of the range is, rounded up.
    std::uint32_t share(unsigned percent) const { return (size() * percent + 99) / 100; }
    bool contains(std::uint32_t port) const { return first <= port && port <= last; }
    std::string to_string() const { return std::to_string(first) + "-" + std::to_string(last); }
    bool operator==(const PortRange&) const = default;
};

struct LocalPorts {
    std::optional<PortRange> range;   // net.ipv4.ip_local_port_range; none: it could not be read
    std::vector<PortRange> reserved;  // net.ipv4.ip_local_reserved_ports: the kernel leaves these out
};

// Reads the settings of this network namespace.
LocalPorts read_local_ports();

// Reads "8080,9000-9010", as in net.ipv4.ip_local_reserved_ports.
std::vector<PortRange> parse_port_list(const std::string& text);

struct PortAdvice {
    bool safe = true;
    std::string detail;  // about the ports, as a clause
    std::string remedy;  // empty if nothing can or need be done
};

// Judges whether the datapath may use these ports for SNAT: the one rule of `weir run` and `weir check`.
PortAdvice judge_snat_ports(const PortRange& ports, const LocalPorts& local);

}  // namespace weir::net
