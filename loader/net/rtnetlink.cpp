// SPDX-License-Identifier: Apache-2.0
#include "loader/net/rtnetlink.hpp"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <cstring>

namespace weir::net {

namespace {

// The kernel's own NUD_VALID (include/net/neighbour.h), which user space headers lack.
constexpr unsigned nud_valid = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

template <class Header>
const Header& header_of(const nlmsghdr& message) {
    return *static_cast<const Header*>(mnl_nlmsg_get_payload(&message));
}

template <class Header>
bool has_header(const nlmsghdr& message) {
    return mnl_nlmsg_get_payload_len(&message) >= sizeof(Header);
}

bool is_ip(unsigned char family) {
    return family == AF_INET || family == AF_INET6;
}

std::string raw_bytes(const nlattr* attribute) {
    if (!attribute) return {};
    return {static_cast<const char*>(mnl_attr_get_payload(attribute)), mnl_attr_get_payload_len(attribute)};
}

std::optional<model::Address> address_of(const nlattr* attribute) {
    if (!attribute) return std::nullopt;
    return model::Address::from_octets(
        {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)), mnl_attr_get_payload_len(attribute)});
}

std::vector<unsigned> route_devices(const nlmsghdr& message) {
    if (!is_default_route(message)) return {};
    Attributes attributes(message, sizeof(rtmsg));
    std::vector<unsigned> devices;
    if (auto device = attributes.number(RTA_OIF)) devices.push_back(*device);
    if (const auto* multipath = attributes.find(RTA_MULTIPATH)) {
        const auto* hop = static_cast<const rtnexthop*>(mnl_attr_get_payload(multipath));
        int rest = mnl_attr_get_payload_len(multipath);
        while (RTNH_OK(hop, rest)) {
            devices.push_back(static_cast<unsigned>(hop->rtnh_ifindex));
            rest -= RTNH_ALIGN(hop->rtnh_len);
            hop = RTNH_NEXT(hop);
        }
    }
    return devices;
}

}  // namespace

std::optional<LinkMessage> parse_link(const nlmsghdr& message) {
    if (!has_header<ifinfomsg>(message)) return std::nullopt;
    const auto& header = header_of<ifinfomsg>(message);
    // Bridges and IPv6 send link messages of their own family, with a part of the attributes; an AF_BRIDGE "delete"
    // means that a port left its bridge.
    if (header.ifi_family != AF_UNSPEC) return std::nullopt;
    Attributes attributes(message, sizeof(ifinfomsg));
    LinkMessage parsed;
    parsed.link.ifindex = static_cast<unsigned>(header.ifi_index);
    parsed.link.name = attributes.text(IFLA_IFNAME);
    if (parsed.link.name.empty()) return std::nullopt;  // an event of the wireless extensions
    parsed.link.kind = Attributes(attributes.find(IFLA_LINKINFO)).text(IFLA_INFO_KIND);
    parsed.link.up = header.ifi_flags & IFF_UP;
    parsed.link.ethernet = header.ifi_type == ARPHRD_ETHER;
    parsed.link.mtu = attributes.number(IFLA_MTU).value_or(0);
    parsed.link.master = attributes.number(IFLA_MASTER).value_or(0);
    parsed.link.peer_elsewhere = attributes.find(IFLA_LINK_NETNSID) != nullptr;
    parsed.mac = raw_bytes(attributes.find(IFLA_ADDRESS));
    parsed.running = header.ifi_flags & IFF_RUNNING;
    parsed.peer = attributes.number(IFLA_LINK).value_or(0);
    return parsed;
}

bool is_global_address(const nlmsghdr& message) {
    return has_header<ifaddrmsg>(message) && is_ip(header_of<ifaddrmsg>(message).ifa_family) &&
           header_of<ifaddrmsg>(message).ifa_scope == RT_SCOPE_UNIVERSE;
}

std::optional<AddressMessage> parse_address(const nlmsghdr& message) {
    if (!is_global_address(message)) return std::nullopt;
    const auto& header = header_of<ifaddrmsg>(message);
    Attributes attributes(message, sizeof(ifaddrmsg));
    auto flags = attributes.number(IFA_FLAGS).value_or(header.ifa_flags);
    if (header.ifa_family == AF_INET6) {
        // IFA_F_TEMPORARY is IFA_F_SECONDARY by another name.
        if (flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_DADFAILED)) return std::nullopt;
        if ((flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC)) return std::nullopt;
    }
    // IFA_LOCAL is ours where the two differ (a point-to-point address names the peer in IFA_ADDRESS).
    auto address = address_of(attributes.find(IFA_LOCAL));
    if (!address) address = address_of(attributes.find(IFA_ADDRESS));
    if (!address || address->is_loopback()) return std::nullopt;
    return AddressMessage{header.ifa_index, *address, header.ifa_family == AF_INET && (flags & IFA_F_SECONDARY)};
}

std::optional<Neighbour> parse_neighbour(const nlmsghdr& message) {
    if (!has_header<ndmsg>(message)) return std::nullopt;
    const auto& header = header_of<ndmsg>(message);
    if (!is_ip(header.ndm_family) || (header.ndm_flags & NTF_PROXY)) return std::nullopt;
    Attributes attributes(message, sizeof(ndmsg));
    auto address = address_of(attributes.find(NDA_DST));
    if (!address) return std::nullopt;
    Neighbour neighbour{.ifindex = static_cast<unsigned>(header.ndm_ifindex),
                        .address = *address,
                        .mac = raw_bytes(attributes.find(NDA_LLADDR)),
                        .valid = message.nlmsg_type == RTM_NEWNEIGH && (header.ndm_state & nud_valid)};
    // A routing daemon or the kernel itself looks after these entries.
    bool kept_by_others =
        (header.ndm_flags & NTF_EXT_LEARNED) || (attributes.number(NDA_FLAGS_EXT).value_or(0) & NTF_EXT_MANAGED);
    neighbour.stale = neighbour.valid && (header.ndm_state & NUD_STALE) && !kept_by_others;
    return neighbour;
}

bool is_route(const nlmsghdr& message) {
    return has_header<rtmsg>(message) && is_ip(header_of<rtmsg>(message).rtm_family) &&
           !(header_of<rtmsg>(message).rtm_flags & RTM_F_CLONED);
}

bool is_default_route(const nlmsghdr& message) {
    return is_route(message) && header_of<rtmsg>(message).rtm_dst_len == 0 &&
           header_of<rtmsg>(message).rtm_type == RTN_UNICAST;
}

std::expected<LinkMap, std::string> dump_links(NetlinkSocket& socket) {
    NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
    request.add_header(ifinfomsg{});
    request.add(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS});
    auto parsed = socket.dump<LinkMessage>(request, parse_link);
    if (!parsed) return std::unexpected(parsed.error());
    LinkMap links;
    for (auto& link : *parsed) {
        auto ifindex = link.link.ifindex;
        links.insert_or_assign(ifindex, std::move(link));
    }
    return links;
}

std::expected<AddressMap, std::string> dump_addresses(NetlinkSocket& socket) {
    NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
    request.add_header(ifaddrmsg{});
    auto parsed = socket.dump<AddressMessage>(request, parse_address);
    if (!parsed) return std::unexpected(parsed.error());
    std::ranges::stable_sort(*parsed, {}, [](const AddressMessage& message) {
        return std::pair(message.address.family() == model::Family::ipv6, message.secondary);
    });
    AddressMap addresses;
    for (const auto& message : *parsed) addresses[message.ifindex].push_back(message.address);
    return addresses;
}

std::expected<std::set<unsigned>, std::string> dump_default_routes(NetlinkSocket& socket) {
    NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
    request.add_header(rtmsg{});
    auto parsed = socket.dump<std::vector<unsigned>>(
        request, [](const nlmsghdr& message) -> std::optional<std::vector<unsigned>> {
            auto devices = route_devices(message);
            if (devices.empty()) return std::nullopt;
            return devices;
        });
    if (!parsed) return std::unexpected(parsed.error());
    std::set<unsigned> all;
    for (const auto& devices : *parsed) all.insert(devices.begin(), devices.end());
    return all;
}

std::expected<std::vector<Neighbour>, std::string> dump_neighbours(NetlinkSocket& socket) {
    NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP);
    request.add_header(ndmsg{});
    return socket.dump<Neighbour>(request, parse_neighbour);
}

RouteTo route_to(NetlinkSocket& socket, const model::Address& address) {
    NetlinkRequest request(RTM_GETROUTE, 0);
    bool ipv4 = address.family() == model::Family::ipv4;
    rtmsg header{};
    header.rtm_family = ipv4 ? AF_INET : AF_INET6;
    header.rtm_dst_len = ipv4 ? 32 : 128;
    request.add_header(header);
    request.add(RTA_DST, address);
    RouteTo route;
    // The kernel says "no route" as an error (ENETUNREACH, and others for blackholes): that is an answer too.
    static_cast<void>(socket.request(request, [&](const nlmsghdr& message) {
        if (!has_header<rtmsg>(message)) return;
        Attributes attributes(message, sizeof(rtmsg));
        route.local = header_of<rtmsg>(message).rtm_type == RTN_LOCAL;
        route.ifindex = attributes.number(RTA_OIF).value_or(0);
    }));
    return route;
}

std::expected<void, std::string> use_neighbour(NetlinkSocket& socket, unsigned ifindex, const model::Address& address) {
    // Without NLM_F_CREATE: a neighbour that is gone meanwhile stays gone.
    NetlinkRequest request(RTM_NEWNEIGH, 0);
    ndmsg header{};
    header.ndm_family = address.family() == model::Family::ipv4 ? AF_INET : AF_INET6;
    header.ndm_ifindex = static_cast<int>(ifindex);
    header.ndm_flags = NTF_USE;
    request.add_header(header);
    request.add(NDA_DST, address);
    return socket.request(request);
}

}  // namespace weir::net
