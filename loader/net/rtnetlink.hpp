// SPDX-License-Identifier: Apache-2.0
// Reads the messages of routing netlink, as far as weir needs them.
#pragma once

#include <map>
#include <set>
#include <string>

#include "loader/net/links.hpp"
#include "loader/net/netlink.hpp"

namespace weir::net {

struct LinkMessage {
    Link link;             // without addresses
    std::string mac;       // raw
    bool running = false;  // has a carrier
    unsigned peer = 0;     // IFLA_LINK: other end of a veth, device under a VLAN; of the namespace that it is in

    bool operator==(const LinkMessage&) const = default;
};

struct AddressMessage {
    unsigned ifindex = 0;
    model::Address address;
    bool secondary = false;
};

struct Neighbour {
    unsigned ifindex = 0;
    model::Address address;
    std::string mac;     // raw
    bool valid = false;  // the kernel sends to this MAC (NUD_VALID)
    bool stale = false;  // valid, and to be probed when the kernel itself uses it
};

// Return nothing if the message is not about what the name says (another family, an attribute update of a bridge
// port...).
std::optional<LinkMessage> parse_link(const nlmsghdr& message);
// Addresses of global scope that can be used as a source.
std::optional<AddressMessage> parse_address(const nlmsghdr& message);
bool is_global_address(const nlmsghdr& message);
std::optional<Neighbour> parse_neighbour(const nlmsghdr& message);
// Entries of the routing tables; not what is cached of them.
bool is_route(const nlmsghdr& message);
bool is_default_route(const nlmsghdr& message);

using LinkMap = std::map<unsigned, LinkMessage>;
using AddressMap = std::map<unsigned, std::vector<model::Address>>;  // by ifindex; in the order of Link::addresses

std::expected<LinkMap, std::string> dump_links(NetlinkSocket& socket);
std::expected<AddressMap, std::string> dump_addresses(NetlinkSocket& socket);
std::expected<std::set<unsigned>, std::string> dump_default_routes(NetlinkSocket& socket);
std::expected<std::vector<Neighbour>, std::string> dump_neighbours(NetlinkSocket& socket);

// The way on which the kernel would send a packet to an address.
struct RouteTo {
    bool local = false;    // to this node itself
    unsigned ifindex = 0;  // 0: nowhere
};
RouteTo route_to(NetlinkSocket& socket, const model::Address& address);

// Has the kernel act as if it had just sent to a stale neighbour: it is probed unless something confirms it within five
// seconds.
std::expected<void, std::string> use_neighbour(NetlinkSocket& socket, unsigned ifindex, const model::Address& address);

}  // namespace weir::net
