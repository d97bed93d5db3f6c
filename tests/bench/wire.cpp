// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/wire.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace weir::bench {

int tcp_socket(const model::Address& address) {
    int family = address.family() == model::Family::ipv4 ? AF_INET : AF_INET6;
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

KernelAddress kernel_address(const model::SocketAddress& address) {
    KernelAddress result;
    if (address.address.family() == model::Family::ipv4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        v4.sin_addr.s_addr = address.address.ipv4_be();
        std::memcpy(&result.storage, &v4, sizeof(v4));
        result.size = sizeof(v4);
    } else {
        result.storage.sin6_family = AF_INET6;
        result.storage.sin6_port = htons(address.port);
        std::ranges::copy(address.address.bytes, result.storage.sin6_addr.s6_addr);
        result.size = sizeof(result.storage);
    }
    return result;
}

}  // namespace weir::bench
