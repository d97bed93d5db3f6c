// SPDX-License-Identifier: Apache-2.0
// HTTP servers at a changing set of addresses. An address that cannot be had is tried again, every few seconds and with
// every change.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "loader/model/socket_address.hpp"
#include "loader/serve/http_server.hpp"

namespace weir::serve {

struct ServeLimits {
    std::size_t connections = 128;  // at all addresses together
    std::chrono::milliseconds patience = default_patience;
    std::chrono::milliseconds retry = std::chrono::seconds(5);
};

class Listeners {
public:
    // port: which one was asked.
    using Answer = std::function<Response(std::uint16_t port, std::string_view path)>;
    using Failures = std::map<model::SocketAddress, boost::system::error_code>;

    // on_failures: the failures are others than before, without a call of keep.
    Listeners(boost::asio::io_context& io, ServeLimits limits, Answer answer, std::function<void()> on_failures);

    // Opens and closes what is missing and surplus; what stays is not touched.
    void keep(std::set<model::SocketAddress> wanted);
    const Failures& failures() const { return failures_; }

private:
    void open_missing();
    void retry_later();

    boost::asio::io_context& io_;
    ServeLimits limits_;
    Answer answer_;
    std::function<void()> on_failures_;
    std::shared_ptr<Connections> connections_;
    std::set<model::SocketAddress> wanted_;
    std::map<model::SocketAddress, HttpServer> servers_;
    Failures failures_;
    boost::asio::steady_timer retry_timer_;
    // A timer that has fired cannot be called back any more.
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace weir::serve
