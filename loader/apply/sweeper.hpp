// SPDX-License-Identifier: Apache-2.0
// Runs the flow-table sweeper in the kernel, on a thread of its own: a walk of a million flows takes 0.1 s. After
// removals it also aborts the node's sockets that are connected to removed backends (socket_abort.hpp).
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

#include "loader/apply/socket_abort.hpp"
#include "loader/datapath/programs.hpp"
#include "loader/view/snat_ports.hpp"
#include "maps/abi.h"

namespace weir::apply {

// Sweeps once, in the calling thread.
std::expected<abi::sweep_result, std::string> sweep_once(int program_fd);

// The result of a sweep: the flows it deleted, and the SNAT ports it counted on its way.
struct Sweep {
    abi::sweep_result flows;
    std::expected<std::vector<view::SnatUse>, std::string> snat;  // pools above the low mark; most used first
};

// Sweeps once, in the calling thread, and reads the counts. A failure to read them does not fail the sweep.
std::expected<Sweep, std::string> sweep_and_read(int program_fd, const maps::SnatUsageMap& usage,
                                                 const view::SnatRange& range);

class Sweeper {
public:
    using Done = std::function<void(const std::expected<Sweep, std::string>&)>;
    using SocketsDone = std::function<void(const std::expected<std::size_t, std::string>& aborted)>;

    // Calls done on io's thread after every sweep, and sockets_done after those that looked at sockets.
    Sweeper(boost::asio::io_context& io, const datapath::Programs& programs, const view::SnatRange& snat_ports,
            Done done, SocketsDone sockets_done);
    ~Sweeper();
    Sweeper(const Sweeper&) = delete;
    Sweeper& operator=(const Sweeper&) = delete;

    // Asks for a sweep that begins after this call; requests during a sweep share the next one.
    void request();
    // Does the same, and has sockets aborted that are connected to removed backends.
    void request_after_removal();

private:
    void work(std::stop_token stop);

    boost::asio::io_context& io_;
    int program_fd_;
    maps::SnatUsageMap snat_usage_;
    view::SnatRange snat_ports_;
    Done done_;
    SocketsDone sockets_done_;
    SocketAborter sockets_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool requested_ = false;
    int socket_rounds_ = 0;  // sweeps to come that look at sockets
    std::jthread thread_;    // last: it uses all of the above
};

}  // namespace weir::apply
