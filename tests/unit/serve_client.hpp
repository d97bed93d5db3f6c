// SPDX-License-Identifier: Apache-2.0
// Both ends of a connection: an event loop for the servers, and blocking clients for the test.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <future>
#include <string>
#include <thread>

#include "loader/model/socket_address.hpp"

namespace weir::serve::test {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Answer = http::response<http::string_body>;

inline model::Address address(const std::string& text) {
    return model::Address::parse(text).value();
}
inline model::SocketAddress at(const std::string& text) {
    return model::SocketAddress::parse(text).value();
}

// Runs the servers' event loop; only run() may touch anything of theirs.
class Loop {
public:
    ~Loop() {
        work_.reset();
        io_.stop();
        thread_.join();
    }
    asio::io_context& io() { return io_; }

    template <class Function>
    auto run(Function function) {
        std::packaged_task<decltype(function())()> task(std::move(function));
        auto result = task.get_future();
        asio::post(io_, [&task] { task(); });
        return result.get();
    }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    std::thread thread_{[this] { io_.run(); }};
};

// A deadline that passes only in a failure: a server that sends nothing must not hang the test.
inline void limit_waiting(asio::ip::tcp::socket& socket) {
    timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

class Client {
public:
    explicit Client(std::uint16_t port, const std::string& host = "127.0.0.1") {
        socket_.connect({asio::ip::make_address(host), port});
        limit_waiting(socket_);
    }

    boost::system::error_code send(const std::string& text) {
        boost::system::error_code error;
        asio::write(socket_, asio::buffer(text), error);
        return error;
    }
    Answer receive(bool head = false) {
        http::response_parser<http::string_body> parser;
        parser.skip(head);
        http::read(socket_, buffer_, parser);
        return parser.release();
    }
    Answer ask(const std::string& method, const std::string& target, const std::string& more = "") {
        send(method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + more + "\r\n");
        return receive(method == "HEAD");
    }
    Answer get(const std::string& target = "/") { return ask("GET", target); }
    // Reads until the server ends the connection; returns false if it does not.
    bool is_closed_by_server() {
        boost::system::error_code error;
        asio::read(socket_, asio::dynamic_buffer(rest_), error);
        return error == asio::error::eof || error == asio::error::connection_reset;
    }
    const std::string& rest() const { return rest_; }

private:
    asio::io_context io_;
    asio::ip::tcp::socket socket_{io_};
    boost::beast::flat_buffer buffer_;
    std::string rest_;
};

inline bool is_refused(std::uint16_t port, const std::string& host = "127.0.0.1") {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    boost::system::error_code error;
    socket.connect({asio::ip::make_address(host), port}, error);
    return error == asio::error::connection_refused;
}

// Returns a port of 127.0.0.1 that was free a moment ago.
inline std::uint16_t free_port() {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
    return acceptor.local_endpoint().port();
}

}  // namespace weir::serve::test
