// SPDX-License-Identifier: Apache-2.0
// The interfaces of this network namespace, and news of everything that bears on them or on the way out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <expected>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "loader/model/address.hpp"

namespace weir::net {

struct Link {
    unsigned ifindex = 0;
    std::string name;
    std::string kind;       // IFLA_INFO_KIND: "veth", "bridge", "vxlan"...; empty: a device of a bus, or lo
    bool up = false;        // administratively (IFF_UP)
    bool ethernet = false;  // ARPHRD_ETHER
    unsigned mtu = 0;
    unsigned master = 0;          // ifindex of the bridge, bond or VRF that it belongs to; 0: none
    bool peer_elsewhere = false;  // IFLA_LINK_NETNSID: its other end is in another network namespace
    // Of global scope and usable as a source, in the order in which the kernel would choose: IPv4 before IPv6, IPv4
    // primary addresses before secondary ones, the kernel's own order otherwise.
    std::vector<model::Address> addresses;

    bool operator==(const Link&) const = default;
};

struct Links {
    std::vector<Link> all;                 // by ifindex
    std::vector<unsigned> default_routes;  // ifindexes of devices of default routes of any table, sorted

    bool operator==(const Links&) const = default;
};

// Reads the interfaces once, without following them.
std::expected<Links, std::string> read_links();

// Follows the network namespace in which start() is called. One thread: that of the io_context.
class LinkWatch {
public:
    // Called from the io_context's loop, never from within start() or set_uplinks(). They must not throw.
    struct Callbacks {
        // Interfaces, addresses or default routes are other than they were. A burst of events is one call.
        std::function<void(const std::vector<Link>& links, const std::vector<unsigned>& default_routes)> on_links;
        // A next hop that the datapath remembers may be wrong. At most ten calls a second, and always one after the
        // last event.
        std::function<void()> on_routes;
    };

    LinkWatch(boost::asio::io_context& io, Callbacks callbacks);
    ~LinkWatch();  // no callback comes any more
    LinkWatch(const LinkWatch&) = delete;
    LinkWatch& operator=(const LinkWatch&) = delete;

    // Calls both callbacks once soon after: on_routes because routes may have changed before the watch began.
    std::expected<void, std::string> start();

    // Neighbours on these interfaces are kept resolved: packets that XDP forwards do not tell the kernel that a
    // neighbour is in use.
    void set_uplinks(std::set<unsigned> ifindexes);

private:
    class Watch;
    std::shared_ptr<Watch> watch_;
};

}  // namespace weir::net
