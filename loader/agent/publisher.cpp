// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/publisher.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace weir::agent {

Publisher::Publisher(boost::asio::io_context& io, StateFile file, std::function<boost::json::object()> state)
    : file_(std::move(file)), state_(std::move(state)), timer_(io) {}

void Publisher::publish_later() {
    if (is_pending_) return;
    is_pending_ = true;
    timer_.expires_after(std::chrono::milliseconds(50));
    timer_.async_wait([this](auto error) {
        if (error) return;
        is_pending_ = false;
        if (auto written = file_.write(state_()); !written) spdlog::error("{}", written.error());
    });
}

}  // namespace weir::agent
