// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/socket_abort.hpp"

#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <vector>

#include "loader/model/abi_address.hpp"
#include "loader/net/netlink.hpp"

namespace weir::apply {

namespace {

struct ConnectedSocket {
    std::uint8_t family;
    inet_diag_sockid id;
};

std::optional<ConnectedSocket> parse(const nlmsghdr& message) {
    if (mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg)) return std::nullopt;
    inet_diag_msg socket;
    std::memcpy(&socket, mnl_nlmsg_get_payload(&message), sizeof(socket));
    return ConnectedSocket{socket.idiag_family, socket.id};
}

// Lists sockets in the state "established", which for UDP means connected.
std::expected<std::vector<ConnectedSocket>, std::string> connected_udp_sockets(net::NetlinkSocket& netlink,
                                                                               std::uint8_t family) {
    net::NetlinkRequest request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    request.add_header(inet_diag_req_v2{.sdiag_family = family,
                                        .sdiag_protocol = IPPROTO_UDP,
                                        .idiag_ext = 0,
                                        .pad = 0,
                                        .idiag_states = 1u << TCP_ESTABLISHED,
                                        .id = {}});
    auto sockets = netlink.dump<ConnectedSocket>(request, parse);
    if (!sockets) return std::unexpected(fmt::format("{} (CONFIG_INET_UDP_DIAG)", sockets.error()));
    return sockets;
}

abi::socket_peer_key peer_of(const ConnectedSocket& socket) {
    abi::socket_peer_key key{};
    key.cookie = std::uint64_t{socket.id.idiag_cookie[1]} << 32 | socket.id.idiag_cookie[0];
    if (socket.family == AF_INET)
        key.address = model::abi_address(socket.id.idiag_dst[0]);
    else
        std::ranges::copy(socket.id.idiag_dst, key.address.words_be);
    key.port_be = socket.id.idiag_dport;
    key.protocol = IPPROTO_UDP;
    key.side = abi::SOCKET_PEER_BACKEND;
    return key;
}

// Aborts exactly this socket: the cookie in the id keeps the kernel from another with the same addresses.
std::error_code abort_socket(net::NetlinkSocket& netlink, const ConnectedSocket& socket) {
    net::NetlinkRequest request(SOCK_DESTROY, 0);
    request.add_header(inet_diag_req_v2{.sdiag_family = socket.family,
                                        .sdiag_protocol = IPPROTO_UDP,
                                        .idiag_ext = 0,
                                        .pad = 0,
                                        .idiag_states = 1u << TCP_ESTABLISHED,
                                        .id = socket.id});
    return netlink.exchange(request);
}

std::string no_abort(std::error_code error) {
    if (error.value() == EOPNOTSUPP) return "this kernel aborts no UDP sockets (CONFIG_INET_DIAG_DESTROY)";
    return "aborting a UDP socket: " + error.message();
}

}  // namespace

std::expected<void, std::string> can_abort_sockets() {
    auto netlink = net::NetlinkSocket::open(NETLINK_SOCK_DIAG);
    if (!netlink) return std::unexpected(netlink.error());
    if (auto sockets = connected_udp_sockets(*netlink, AF_INET); !sockets) return std::unexpected(sockets.error());
    // No socket has port 0, so ENOENT means that the kernel would have aborted one.
    auto error = abort_socket(*netlink, {AF_INET, {}});
    if (error && error.value() != ENOENT) return std::unexpected(no_abort(error));
    return {};
}

bool backend_serves(const abi::backend& now, const abi::socket_peer_key& peer) {
    return now.flags & abi::BACKEND_IN_USE && now.port_be == peer.port_be && now.protocol == peer.protocol &&
           std::memcmp(now.address.bytes, peer.address.bytes, sizeof(now.address.bytes)) == 0;
}

SocketAborter::SocketAborter(const datapath::Programs& programs)
    : peers_(maps::view<maps::SocketPeerMap>(programs.map_fd("socket_peers"))),
      backends_(maps::view<maps::BackendMap>(programs.map_fd("backends"))) {}

std::expected<std::size_t, std::string> SocketAborter::abort_orphans() {
    auto netlink = net::NetlinkSocket::open(NETLINK_SOCK_DIAG);
    if (!netlink) return std::unexpected(netlink.error());
    std::size_t aborted = 0;
    for (std::uint8_t family : {AF_INET, AF_INET6}) {
        auto sockets = connected_udp_sockets(*netlink, family);
        if (!sockets) return std::unexpected(sockets.error());
        for (const auto& socket : *sockets) {
            auto key = peer_of(socket);
            auto peer = peers_.lookup(key);
            if (!peer) continue;
            auto backend = backends_.lookup(peer->backend_id);
            if (backend && backend_serves(*backend, key)) continue;
            auto error = abort_socket(*netlink, socket);
            // ENOENT: its process has closed it meanwhile.
            if (error && error.value() != ENOENT) return std::unexpected(no_abort(error));
            (void)peers_.erase(key);  // the socket is gone: at worst the LRU keeps its entry for a while
            ++aborted;
        }
    }
    return aborted;
}

}  // namespace weir::apply
