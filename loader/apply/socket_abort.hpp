// SPDX-License-Identifier: Apache-2.0
// UDP sockets that a socket hook connected to a backend must not outlive the backend: nothing would tell them. They are
// aborted (SOCK_DESTROY of sock_diag): whoever waits for a datagram gets ECONNABORTED, whoever sends one EDESTADDRREQ,
// and the process connects anew.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "loader/datapath/programs.hpp"
#include "maps/abi.h"
#include "maps/pins.hpp"

namespace weir::apply {

// Whether the backend that a socket was given is still the one that takes its datagrams: known by its address, since
// the id of a backend that is gone may belong to another by now.
bool backend_serves(const abi::backend& now, const abi::socket_peer_key& peer);

// Whether this kernel lists and aborts UDP sockets; the error says what it lacks.
std::expected<void, std::string> can_abort_sockets();

class SocketAborter {
public:
    explicit SocketAborter(const datapath::Programs& programs);

    // Aborts the UDP sockets of this network namespace that are connected to backends which are gone; how many. Sockets
    // that no hook translated are left alone, whatever they are connected to.
    std::expected<std::size_t, std::string> abort_orphans();

private:
    maps::SocketPeerMap peers_;
    maps::BackendMap backends_;
};

}  // namespace weir::apply
