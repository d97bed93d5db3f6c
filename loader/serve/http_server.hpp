// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server at one address: GET and HEAD, answers that are at hand, clients that may mean harm.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loader/model/socket_address.hpp"
#include "loader/serve/connections.hpp"

namespace weir::serve {

struct Response {
    boost::beast::http::status status = boost::beast::http::status::ok;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers = {};  // further ones
};

// path: of the request, without query. Called on the event loop, for GET and HEAD.
using Handler = std::function<Response(std::string_view path)>;

// How long a client has for a request from the connection, or the answer before, to the end of its header; and for
// taking the answer in. Load balancers probe every few seconds: those that keep connections open mostly keep them.
constexpr std::chrono::milliseconds default_patience = std::chrono::seconds(10);

class HttpServer {
public:
    // Port 0: any that is free. IPv6 addresses do not serve IPv4: [::] can be listened at beside 0.0.0.0.
    static std::expected<HttpServer, boost::system::error_code> listen(
        boost::asio::io_context& io, const model::SocketAddress& at, Handler handler,
        std::shared_ptr<Connections> connections, std::chrono::milliseconds patience = default_patience);

    HttpServer(HttpServer&&) = default;
    HttpServer& operator=(HttpServer&&) = delete;
    // Ends listening and every connection.
    ~HttpServer();

    std::uint16_t port() const;

    struct State;

private:
    explicit HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

}  // namespace weir::serve
