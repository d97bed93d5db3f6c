// SPDX-License-Identifier: Apache-2.0
#include "loader/serve/listeners.hpp"

namespace weir::serve {

Listeners::Listeners(boost::asio::io_context& io, ServeLimits limits, Answer answer, std::function<void()> on_failures)
    : io_(io),
      limits_(limits),
      answer_(std::move(answer)),
      on_failures_(std::move(on_failures)),
      connections_(std::make_shared<Connections>(limits.connections)),
      retry_timer_(io) {}

void Listeners::keep(std::set<model::SocketAddress> wanted) {
    wanted_ = std::move(wanted);
    std::erase_if(servers_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
    open_missing();
}

void Listeners::open_missing() {
    failures_.clear();
    for (const auto& at : wanted_) {
        if (servers_.contains(at)) continue;
        auto handler = [answer = answer_, port = at.port](std::string_view path) { return answer(port, path); };
        auto server = HttpServer::listen(io_, at, std::move(handler), connections_, limits_.patience);
        if (server)
            servers_.emplace(at, std::move(*server));
        else
            failures_[at] = server.error();
    }
    if (failures_.empty())
        retry_timer_.cancel();
    else
        retry_later();
}

void Listeners::retry_later() {
    retry_timer_.expires_after(limits_.retry);
    retry_timer_.async_wait([this, alive = std::weak_ptr(alive_)](auto error) {
        if (error || alive.expired()) return;
        auto before = failures_;
        open_missing();
        if (failures_ != before) on_failures_();
    });
}

}  // namespace weir::serve
