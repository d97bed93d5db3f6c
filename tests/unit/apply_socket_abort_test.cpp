// SPDX-License-Identifier: Apache-2.0
// Whether the backend that a socket was connected to still exists.
#include "loader/apply/socket_abort.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "loader/model/abi_address.hpp"

namespace weir::apply {
namespace {

abi::address address(std::uint8_t last) {
    return model::abi_address(htonl(0x0af40100u + last));
}

abi::backend backend() {
    return {.address = address(2), .port_be = htons(8080), .protocol = IPPROTO_UDP, .flags = abi::BACKEND_IN_USE};
}

abi::socket_peer_key peer() {
    return {.cookie = 1, .address = address(2), .port_be = htons(8080), .protocol = IPPROTO_UDP};
}

TEST(SocketAbort, ABackendInUseKeepsItsSockets) {
    EXPECT_TRUE(backend_serves(backend(), peer()));
}

TEST(SocketAbort, ABackendThatIsGoneDoesNot) {
    EXPECT_FALSE(backend_serves(abi::backend{}, peer()));
    auto leaving = backend();
    leaving.flags = abi::BACKEND_IN_CLUSTER_SET;
    EXPECT_FALSE(backend_serves(leaving, peer()));
}

TEST(SocketAbort, AnotherBackendUnderTheSameIdDoesNot) {
    auto other = backend();
    other.address = address(3);
    EXPECT_FALSE(backend_serves(other, peer()));
    other = backend();
    other.port_be = htons(8081);
    EXPECT_FALSE(backend_serves(other, peer()));
    other = backend();
    other.protocol = IPPROTO_TCP;
    EXPECT_FALSE(backend_serves(other, peer()));
}

}  // namespace
}  // namespace weir::apply
