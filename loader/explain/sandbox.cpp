// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/sandbox.hpp"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "loader/net/netlink.hpp"

namespace weir::explain {

namespace {

using model::Address;
using model::Family;
using Done = std::expected<void, std::string>;

constexpr std::array<std::uint8_t, 6> far_mac = {0x02, 0, 0, 0, 0, 3};  // the host at the other end of each interface
const Address gateway4 = Address::from_ipv4(0xa9fe0101);                // 169.254.1.1: no host has it
const Address gateway6 = *Address::parse("fe80::1");

class Builder {
public:
    explicit Builder(net::NetlinkSocket socket) : socket_(std::move(socket)) {}

    std::expected<unsigned, std::string> add_link(const std::string& name) {
        auto peer = name + "-far";
        net::NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        request.add_header(ifinfomsg{});
        request.add(IFLA_IFNAME, name);
        auto* message = request.message();
        auto* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
        auto* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
        auto* of_peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
        request.add_header(ifinfomsg{});
        mnl_attr_put_strz(message, IFLA_IFNAME, peer.c_str());
        mnl_attr_nest_end(message, of_peer);
        mnl_attr_nest_end(message, data);
        mnl_attr_nest_end(message, info);
        if (auto made = socket_.request(request); !made) return std::unexpected(made.error());
        // An end has a carrier while both are up.
        for (const auto& end : {name, peer}) {
            if (auto up = set_up(::if_nametoindex(end.c_str())); !up) return std::unexpected(up.error());
        }
        return ::if_nametoindex(name.c_str());
    }

    Done set_up(unsigned ifindex) {
        net::NetlinkRequest request(RTM_NEWLINK, 0);
        request.add_header(
            ifinfomsg{.ifi_index = static_cast<int>(ifindex), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
        return socket_.request(request);
    }

    Done add_address(unsigned ifindex, const Address& address) {
        net::NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
        request.add_header(ifaddrmsg{.ifa_family = family_of(address),
                                     .ifa_prefixlen = bits_of(address),
                                     .ifa_flags = IFA_F_NODAD,
                                     .ifa_index = ifindex});
        request.add(IFA_LOCAL, address);
        request.add(IFA_ADDRESS, address);
        return socket_.request(request);
    }

    // destination: none: the default route. gateway: none: on the link itself. source: the preferred one.
    Done add_route(unsigned ifindex, const Address* destination, const Address* gateway, const Address* source) {
        net::NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE);
        const auto& either = destination ? *destination : *gateway;
        rtmsg header{};
        header.rtm_family = family_of(either);
        header.rtm_dst_len = destination ? bits_of(*destination) : std::uint8_t{0};
        header.rtm_table = RT_TABLE_MAIN;
        header.rtm_protocol = RTPROT_STATIC;
        header.rtm_scope = gateway || either.family() == Family::ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
        header.rtm_type = RTN_UNICAST;
        header.rtm_flags = gateway ? RTNH_F_ONLINK : 0u;
        request.add_header(header);
        if (destination) request.add(RTA_DST, *destination);
        if (gateway) request.add(RTA_GATEWAY, *gateway);
        if (source) request.add(RTA_PREFSRC, *source);
        request.add(RTA_OIF, ifindex);
        return socket_.request(request);
    }

    Done add_neighbour(unsigned ifindex, const Address& address) {
        net::NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE);
        ndmsg header{};
        header.ndm_family = family_of(address);
        header.ndm_ifindex = static_cast<int>(ifindex);
        header.ndm_state = NUD_PERMANENT;
        request.add_header(header);
        request.add(NDA_DST, address);
        request.add_bytes(NDA_LLADDR, far_mac.data(), far_mac.size());
        return socket_.request(request);
    }

private:
    static std::uint8_t family_of(const Address& address) {
        return address.family() == Family::ipv4 ? AF_INET : AF_INET6;
    }
    static std::uint8_t bits_of(const Address& address) { return address.family() == Family::ipv4 ? 32 : 128; }

    net::NetlinkSocket socket_;
};

Done turn_on(const char* setting) {
    std::ofstream file(setting);
    if (!(file << "1\n").flush()) return std::unexpected(fmt::format("{}: cannot be written", setting));
    return {};
}

Done furnish(Builder& builder, const SandboxNode& node, const SandboxDevices& devices) {
    Done done = builder.set_up(1);  // lo
    for (auto it = node.addresses.begin(); done && it != node.addresses.end(); ++it)
        done = builder.add_address(devices.uplink, *it);
    for (const auto* gateway : {&gateway4, &gateway6}) {
        const auto* source = model::first_of(node.addresses, gateway->family());
        if (!source) continue;
        if (done) done = builder.add_route(devices.uplink, nullptr, gateway, source);
        if (done) done = builder.add_neighbour(devices.uplink, *gateway);
    }
    for (auto it = node.workloads.begin(); done && it != node.workloads.end(); ++it) {
        done = builder.add_route(devices.workload, &*it, nullptr, model::first_of(node.addresses, it->family()));
        if (done) done = builder.add_neighbour(devices.workload, *it);
    }
    return done;
}

}  // namespace

std::expected<SandboxDevices, std::string> enter_sandbox(const SandboxNode& node) {
    auto fail = [](const std::string& what) {
        return std::unexpected(fmt::format("a private network namespace: {}", what));
    };
    if (::unshare(CLONE_NEWNET) != 0) return fail(std::generic_category().message(errno) + "; run as root");
    auto socket = net::NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) return fail(socket.error());
    Done done = turn_on("/proc/sys/net/ipv4/ip_forward");
    auto is_ipv6 = [](const Address& address) { return address.family() == Family::ipv6; };
    // A kernel without IPv6 will do unless the node or a workload has an IPv6 address.
    if (done && (std::ranges::any_of(node.addresses, is_ipv6) || std::ranges::any_of(node.workloads, is_ipv6)))
        done = turn_on("/proc/sys/net/ipv6/conf/all/forwarding");
    if (!done) return fail(done.error());

    Builder builder(std::move(*socket));
    SandboxDevices devices;
    for (auto [name, ifindex] : {std::pair("uplink", &devices.uplink), std::pair("workload", &devices.workload)}) {
        auto made = builder.add_link(name);
        if (!made) return fail(made.error());
        *ifindex = *made;
    }
    if (done = furnish(builder, node, devices); !done) return fail(done.error());
    return devices;
}

}  // namespace weir::explain
