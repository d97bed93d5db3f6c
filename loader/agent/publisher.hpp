// SPDX-License-Identifier: Apache-2.0
// Writes the state file for the command line. People read it, so a burst of changes gets a single write.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "loader/agent/state_file.hpp"

namespace weir::agent {

class Publisher {
public:
    Publisher(boost::asio::io_context& io, StateFile file, std::function<boost::json::object()> state);

    // Gets the state and writes it, after a short delay.
    void publish_later();

private:
    StateFile file_;
    std::function<boost::json::object()> state_;
    boost::asio::steady_timer timer_;
    bool is_pending_ = false;
};

}  // namespace weir::agent
