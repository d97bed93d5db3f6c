// SPDX-License-Identifier: Apache-2.0
#include "loader/net/netlink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace weir::net {

namespace {

// The largest datagram. Linux fills dumps up to 32 KiB; one link with many virtual functions exceeds libmnl's default
// of 8.
constexpr std::size_t datagram_size = 32768;
// Room for some thousand unread events, so that the creation of a few hundred pods at once does not overrun it.
constexpr int receive_buffer = 4 * 1024 * 1024;

std::error_code last_error() {
    return {errno, std::generic_category()};
}

std::string request_name(int protocol, std::uint16_t type) {
    // Each protocol numbers its requests for itself: 20 is RTM_NEWADDR and SOCK_DIAG_BY_FAMILY.
    if (protocol == NETLINK_SOCK_DIAG) return type == SOCK_DESTROY ? "aborting a socket" : "reading sockets";
    switch (type) {
        case RTM_GETLINK:
            return "reading interfaces";
        case RTM_GETADDR:
            return "reading addresses";
        case RTM_GETROUTE:
            return "reading routes";
        case RTM_GETNEIGH:
            return "reading neighbours";
        case RTM_NEWNEIGH:
            return "writing a neighbour";
        case RTM_NEWLINK:
            return "making an interface";
        case RTM_NEWADDR:
            return "adding an address";
        case RTM_NEWROUTE:
            return "adding a route";
        default:
            return fmt::format("request {}", type);
    }
}

void for_each_message(const std::vector<char>& datagram, ssize_t received, const MessageHandler& each) {
    int rest = static_cast<int>(received);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data()); mnl_nlmsg_ok(message, rest);
         message = mnl_nlmsg_next(message, &rest))
        each(*message);
}

struct Answer {
    unsigned sequence;
    bool complete = false;
    std::error_code error{};

    void take(const nlmsghdr& message, const MessageHandler& each) {
        // Skips the rest of an earlier answer, whose request failed half way.
        if (message.nlmsg_seq != sequence || complete) return;
        if (message.nlmsg_flags & NLM_F_DUMP_INTR) error = std::make_error_code(std::errc::interrupted);
        if (message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE) {
            complete = true;
            int code = 0;
            if (mnl_nlmsg_get_payload_len(&message) >= sizeof(code))
                std::memcpy(&code, mnl_nlmsg_get_payload(&message), sizeof(code));
            if (code < 0) error = {-code, std::generic_category()};
        } else if (message.nlmsg_type >= NLMSG_MIN_TYPE && each) {
            each(message);
        }
    }
};

}  // namespace

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
    auto* header = mnl_nlmsg_put_header(buffer_.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

void NetlinkRequest::add(std::uint16_t attribute, std::uint32_t value) {
    add_bytes(attribute, &value, sizeof(value));
}

void NetlinkRequest::add(std::uint16_t attribute, const std::string& value) {
    add_bytes(attribute, value.c_str(), value.size() + 1);
}

void NetlinkRequest::add(std::uint16_t attribute, const model::Address& value) {
    add_bytes(attribute, value.octets().data(), value.octets().size());
}

void NetlinkRequest::add_bytes(std::uint16_t attribute, const void* data, std::size_t size) {
    mnl_attr_put_check(message(), buffer_.size(), attribute, size, data);
}

NetlinkSocket::NetlinkSocket(mnl_socket* socket, int protocol)
    : socket_(socket), protocol_(protocol), buffer_(datagram_size) {}

std::expected<NetlinkSocket, std::string> NetlinkSocket::open(int protocol) {
    mnl_socket* socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
    if (!socket) return std::unexpected(fmt::format("cannot open a netlink socket: {}", last_error().message()));
    NetlinkSocket opened(socket, protocol);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return std::unexpected(fmt::format("cannot bind a netlink socket: {}", last_error().message()));
    return opened;
}

std::expected<NetlinkSocket, std::string> NetlinkSocket::subscribe(int protocol, std::initializer_list<int> groups) {
    auto opened = open(protocol);
    if (!opened) return opened;
    int fd = opened->fd();
    // Beyond net.core.rmem_max with CAP_NET_ADMIN; what cannot be had leads to overruns, which are dealt with.
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) < 0)
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    for (int group : groups) {
        if (mnl_socket_setsockopt(opened->socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
            return std::unexpected(fmt::format("cannot follow netlink group {}: {}", group, last_error().message()));
    }
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return std::unexpected(fmt::format("netlink socket: {}", last_error().message()));
    return opened;
}

std::expected<void, std::string> NetlinkSocket::request(NetlinkRequest& request, const MessageHandler& each) {
    if (auto error = exchange(request, each)) return std::unexpected(describe(request, error));
    return {};
}

std::error_code NetlinkSocket::exchange(NetlinkRequest& request, const MessageHandler& each) {
    auto* header = request.message();
    header->nlmsg_seq = ++sequence_;
    // A dump ends with NLMSG_DONE, anything else with the acknowledgement. (NLM_F_EXCL is one of the bits of
    // NLM_F_DUMP.)
    if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) header->nlmsg_flags |= NLM_F_ACK;
    if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) return last_error();
    Answer answer{.sequence = sequence_};
    while (!answer.complete) {
        auto size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return last_error();
        for_each_message(buffer_, size, [&](const nlmsghdr& message) { answer.take(message, each); });
    }
    return answer.error;
}

std::expected<NetlinkSocket::Received, std::string> NetlinkSocket::receive(const MessageHandler& each) {
    for (;;) {
        auto size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
        if (size >= 0) {
            for_each_message(buffer_, size, each);
            return Received::message;
        }
        switch (errno) {
            case EINTR:
                continue;
            case EAGAIN:
                return Received::nothing;
            case ENOBUFS:
            case ENOSPC:  // libmnl's word for a message that was cut off
                return Received::overrun;
            default:
                return std::unexpected(fmt::format("reading netlink events: {}", last_error().message()));
        }
    }
}

std::string NetlinkSocket::describe(NetlinkRequest& request, std::error_code error) const {
    if (error == std::errc::interrupted)
        return fmt::format("{}: they change faster than they can be read",
                           request_name(protocol_, request.message()->nlmsg_type));
    return fmt::format("{}: {}", request_name(protocol_, request.message()->nlmsg_type), error.message());
}

Attributes::Attributes(const nlmsghdr& message, std::size_t header_size) {
    mnl_attr_parse(&message, static_cast<unsigned>(header_size), add, this);
}

Attributes::Attributes(const nlattr* nest) {
    if (nest) mnl_attr_parse_nested(nest, add, this);
}

int Attributes::add(const nlattr* attribute, void* attributes) {
    auto& known = static_cast<Attributes*>(attributes)->known_;
    auto type = mnl_attr_get_type(attribute);
    if (type < known.size()) known[type] = attribute;
    return MNL_CB_OK;
}

const nlattr* Attributes::find(std::uint16_t attribute) const {
    return attribute < known_.size() ? known_[attribute] : nullptr;
}

std::optional<std::uint32_t> Attributes::number(std::uint16_t attribute) const {
    const auto* found = find(attribute);
    if (!found || mnl_attr_get_payload_len(found) < sizeof(std::uint32_t)) return std::nullopt;
    return mnl_attr_get_u32(found);
}

std::string Attributes::text(std::uint16_t attribute) const {
    const auto* found = find(attribute);
    if (!found) return {};
    const char* begin = mnl_attr_get_str(found);
    return {begin, ::strnlen(begin, mnl_attr_get_payload_len(found))};
}

}  // namespace weir::net
