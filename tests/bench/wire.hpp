// SPDX-License-Identifier: Apache-2.0
// The protocol between load and server. A request is one small segment whose first byte is the command.
#pragma once

#include <netinet/in.h>

#include <cstddef>

#include "loader/model/socket_address.hpp"

namespace weir::bench {

enum class Wanted : char {
    answer_and_close = 'c',  // the server closes first, as HTTP servers do: its port, not the client's, lingers
    answer = 'k',
    swallow = 'u',  // everything that follows, until the client's end; then the server closes
};

constexpr std::size_t request_size = 64, answer_size = 64;
constexpr std::size_t bulk_size = 128 * 1024;

// Opens a non-blocking TCP socket of this address's family; < 0: errno says why not.
int tcp_socket(const model::Address& address);

struct KernelAddress {
    sockaddr_in6 storage{};
    socklen_t size = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
KernelAddress kernel_address(const model::SocketAddress& address);

}  // namespace weir::bench
