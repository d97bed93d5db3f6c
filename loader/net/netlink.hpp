// SPDX-License-Identifier: Apache-2.0
// Netlink sockets (libmnl): requests that are answered at once, and subscriptions to what changes.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "loader/model/address.hpp"

namespace weir::net {

// A message to the kernel under construction. The header that follows nlmsghdr is named by its type.
class NetlinkRequest {
public:
    NetlinkRequest(std::uint16_t type, std::uint16_t flags);

    template <class Header>
    void add_header(const Header& header) {
        *static_cast<Header*>(mnl_nlmsg_put_extra_header(message(), sizeof(Header))) = header;
    }
    void add(std::uint16_t attribute, std::uint32_t value);
    void add(std::uint16_t attribute, const std::string& value);
    void add(std::uint16_t attribute, const model::Address& value);
    void add_bytes(std::uint16_t attribute, const void* data, std::size_t size);

    nlmsghdr* message() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

private:
    alignas(nlmsghdr) std::array<char, 512> buffer_{};
};

using MessageHandler = std::function<void(const nlmsghdr&)>;

class NetlinkSocket {
public:
    // protocol: NETLINK_ROUTE, NETLINK_GENERIC, NETLINK_SOCK_DIAG. Belongs to the network namespace of the calling
    // thread.
    static std::expected<NetlinkSocket, std::string> open(int protocol);
    // Non-blocking, and a member of multicast groups (RTNLGRP_*).
    static std::expected<NetlinkSocket, std::string> subscribe(int protocol, std::initializer_list<int> groups);

    int fd() const { return mnl_socket_get_fd(socket_.get()); }

    // Sends a request and waits for the end of the answer; every message of it goes to each.
    std::expected<void, std::string> request(NetlinkRequest& request, const MessageHandler& each = {});

    // Does the same for callers that need the number of the error.
    std::error_code exchange(NetlinkRequest& request, const MessageHandler& each = {});

    // Everything that a dump lists and parse makes something of. A dump during which the list changed may lack entries
    // (NLM_F_DUMP_INTR): it begins again.
    template <class T>
    std::expected<std::vector<T>, std::string> dump(NetlinkRequest& request,
                                                    const std::function<std::optional<T>(const nlmsghdr&)>& parse) {
        for (int attempt = 0; attempt < most_attempts; ++attempt) {
            std::vector<T> items;
            auto result = exchange(request, [&](const nlmsghdr& message) {
                if (auto item = parse(message)) items.push_back(std::move(*item));
            });
            if (!result) return items;
            if (result != std::errc::interrupted) return std::unexpected(describe(request, result));
        }
        return std::unexpected(describe(request, std::make_error_code(std::errc::interrupted)));
    }

    enum class Received {
        message,
        nothing,  // for now
        overrun,  // events were lost: what is known must be read again, by dumps, after all that waits was discarded
    };
    // (Subscriptions) reads one datagram, which may hold several messages.
    std::expected<Received, std::string> receive(const MessageHandler& each);

private:
    static constexpr int most_attempts = 16;

    struct Close {
        void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
    };
    NetlinkSocket(mnl_socket* socket, int protocol);

    std::string describe(NetlinkRequest& request, std::error_code error) const;

    std::unique_ptr<mnl_socket, Close> socket_;
    int protocol_;
    std::vector<char> buffer_;
    unsigned sequence_ = 0;
};

// The attributes of a message, by number. Those beyond what the caller knows are left out.
class Attributes {
public:
    // header_size: of what follows nlmsghdr.
    Attributes(const nlmsghdr& message, std::size_t header_size);
    explicit Attributes(const nlattr* nest);

    const nlattr* find(std::uint16_t attribute) const;
    std::optional<std::uint32_t> number(std::uint16_t attribute) const;
    std::string text(std::uint16_t attribute) const;  // empty: not there

private:
    static int add(const nlattr* attribute, void* attributes);
    std::array<const nlattr*, 72> known_{};
};

}  // namespace weir::net
