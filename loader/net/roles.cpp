// SPDX-License-Identifier: Apache-2.0
#include "loader/net/roles.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "loader/model/abi_address.hpp"

namespace weir::net {

namespace {

// The strength with which the rules want a link in a role.
enum class Claim { none, general, by_name };

constexpr std::array<std::string_view, 4> overlays = {"vxlan", "geneve", "gretap", "ip6gretap"};
// Overlays whose packets have no Ethernet header. tunl0, gre0 and others of their kind exist, down, wherever the kernel
// module is loaded: only those that are up carry anything.
constexpr std::array<std::string_view, 6> overlays_without_ethernet = {"ipip", "gre",    "ip6gre",
                                                                       "sit",  "ip6tnl", "wireguard"};

bool contains(const auto& list, const auto& item) {
    return std::ranges::find(list, item) != std::ranges::end(list);
}

bool is_glob(const std::string& text) {
    return text.find_first_of("*?[") != std::string::npos;
}

Claim claim_of(const Link& link, const std::vector<std::string>& patterns) {
    auto claim = Claim::none;
    for (const auto& pattern : patterns) {
        if (pattern == link.name) return Claim::by_name;
        if (::fnmatch(pattern.c_str(), link.name.c_str(), 0) == 0) claim = Claim::general;
    }
    return claim;
}

Claim uplink_claim(const Link& link, const std::vector<unsigned>& default_routes, const InterfaceRules& rules) {
    if (!rules.uplinks.empty()) return claim_of(link, rules.uplinks);
    bool overlay = link.up && (contains(overlays, link.kind) || contains(overlays_without_ethernet, link.kind));
    bool default_route = contains(default_routes, link.ifindex);
    return overlay || default_route ? Claim::general : Claim::none;
}

Claim workload_claim(const Link& link, const InterfaceRules& rules) {
    if (!rules.workloads.empty()) return claim_of(link, rules.workloads);
    return link.kind == "veth" && link.peer_elsewhere ? Claim::general : Claim::none;
}

// Why weir's programs are of no use on a link; empty: they are.
std::string obstacle(const Link& link, const std::vector<Link>& links) {
    if (link.name == "lo") return "the loopback device carries no traffic of others; name another interface";
    if (link.kind == "bridge")
        return "a bridge; its packets are seen at its ports: name the port towards the network (interfaces.uplinks)";
    if (!link.ethernet)
        return fmt::format(
            "{} packets have no Ethernet header, which weir does not handle; what comes in there is not "
            "balanced (an overlay of kind vxlan or geneve is)",
            link.kind.empty() ? "its" : link.kind);
    auto master = std::ranges::find(links, link.master, &Link::ifindex);
    if (master != links.end() && (master->kind == "bond" || master->kind == "team"))
        return fmt::format("part of {}: name that one", master->name);
    return {};
}

}  // namespace

std::vector<std::pair<Link, Role>> assign(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                          const InterfaceRules& rules) {
    std::vector<std::pair<Link, Role>> assigned;
    for (const auto& link : links) {
        auto uplink = uplink_claim(link, default_routes, rules);
        auto workload = workload_claim(link, rules);
        auto role = Role::none;
        if ((uplink != Claim::none || workload != Claim::none) && obstacle(link, links).empty())
            role = uplink >= workload ? Role::uplink : Role::workload;
        assigned.emplace_back(link, role);
    }
    return assigned;
}

std::vector<RefusedUplink> refused_uplinks(const std::vector<Link>& links, const std::vector<unsigned>& default_routes,
                                           const InterfaceRules& rules) {
    std::vector<RefusedUplink> refused;
    for (const auto& link : links) {
        auto claim = uplink_claim(link, default_routes, rules);
        // A glob takes what fits and leaves the rest.
        if (claim == Claim::none || (claim == Claim::general && !rules.uplinks.empty())) continue;
        if (auto reason = obstacle(link, links); !reason.empty()) refused.push_back({link.name, reason});
    }
    return refused;
}

std::vector<std::string> missing_uplinks(const std::vector<Link>& links, const InterfaceRules& rules) {
    std::vector<std::string> missing;
    for (const auto& name : rules.uplinks) {
        if (!is_glob(name) && std::ranges::find(links, name, &Link::name) == links.end()) missing.push_back(name);
    }
    return missing;
}

void set_source_addresses(abi::device& device, const Link& link, const std::vector<model::Address>& node_addresses) {
    auto source = [&](model::Family family) {
        const auto* own = model::first_of(link.addresses, family);
        return own ? own : model::first_of(node_addresses, family);
    };
    const auto* ipv4 = source(model::Family::ipv4);
    const auto* ipv6 = source(model::Family::ipv6);
    device.source4_be = 0;
    device.source6 = {};
    if (ipv4) device.source4_be = ipv4->ipv4_be();
    if (ipv6) device.source6 = model::abi_address(*ipv6);
}

}  // namespace weir::net
