// SPDX-License-Identifier: Apache-2.0
// Aborts UDP sockets that a socket hook connected to a backend which is gone: nothing else would tell their processes.
// After SOCK_DESTROY (sock_diag) a process that waits for a datagram gets ECONNABORTED, one that sends gets
// EDESTADDRREQ, and it connects again.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "loader/datapath/programs.hpp"
#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::apply {

// Returns whether the backend that a socket was connected to still takes its datagrams. Compares the address, since the
// id of a removed backend may belong to another by now.
bool backend_serves(const abi::backend& now, const abi::socket_peer_key& peer);

// Checks that this kernel can list and abort UDP sockets; the error says what it lacks.
std::expected<void, std::string> can_abort_sockets();

class SocketAborter {
public:
    explicit SocketAborter(const datapath::Programs& programs);

    // Aborts the UDP sockets of this network namespace that are connected to removed backends, and returns how many.
    // Leaves alone the sockets that no hook translated, whatever they are connected to.
    std::expected<std::size_t, std::string> abort_orphans();

private:
    maps::SocketPeerMap peers_;
    maps::BackendMap backends_;
};

}  // namespace weir::apply
