// SPDX-License-Identifier: Apache-2.0
#include "loader/net/local_ports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace weir::net {

LocalPorts read_local_ports() {
    LocalPorts local;
    PortRange range;
    if (std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> range.first >> range.last) local.range = range;
    std::string reserved;
    std::getline(std::ifstream("/proc/sys/net/ipv4/ip_local_reserved_ports"), reserved);
    local.reserved = parse_port_list(reserved);
    return local;
}

std::vector<PortRange> parse_port_list(const std::string& text) {
    std::vector<PortRange> ranges;
    std::istringstream items(text);
    for (std::string item; std::getline(items, item, ',');) {
        PortRange range;
        const char* end = item.data() + item.size();
        auto low = std::from_chars(item.data(), end, range.first);
        if (low.ec != std::errc{}) continue;
        range.last = range.first;
        if (low.ptr != end && *low.ptr == '-') std::from_chars(low.ptr + 1, end, range.last);
        ranges.push_back(range);
    }
    return ranges;
}

PortAdvice judge_snat_ports(const PortRange& ports, const LocalPorts& local) {
    if (!local.range) return {.safe = false, .detail = "the range of the node's own ports is unknown", .remedy = {}};
    unsigned shared = 0;
    for (unsigned port = ports.first; port <= ports.last; ++port) {
        bool reserved = std::ranges::any_of(local.reserved, [&](const auto& range) { return range.contains(port); });
        if (local.range->contains(port) && !reserved) ++shared;
    }
    if (shared == 0)
        return {.detail = fmt::format("{}, which the node itself does not choose", ports.to_string()), .remedy = {}};
    return {.safe = false,
            .detail = fmt::format("{} of {} may also be chosen by the node itself (net.ipv4.ip_local_port_range {}): "
                                  "replies may be taken for those of another connection",
                                  shared, ports.to_string(), local.range->to_string()),
            .remedy = fmt::format("sysctl -w net.ipv4.ip_local_reserved_ports={} (beside those there), or set "
                                  "datapath.snatPorts elsewhere",
                                  ports.to_string())};
}

}  // namespace weir::net
