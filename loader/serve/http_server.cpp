// SPDX-License-Identifier: Apache-2.0
#include "loader/serve/http_server.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>

namespace weir::serve {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

struct HttpServer::State {
    State(asio::io_context& io, Handler answer, std::shared_ptr<Connections> all, std::chrono::milliseconds time)
        : acceptor(io), pause(io), handler(std::move(answer)), connections(std::move(all)), patience(time) {}

    tcp::acceptor acceptor;
    asio::steady_timer pause;
    Handler handler;
    std::shared_ptr<Connections> connections;
    std::chrono::milliseconds patience;
    bool closed = false;
};

namespace {

using State = HttpServer::State;
using Reply = http::response<http::string_body>;

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

// Probes have headers of a few hundred octets.
constexpr std::size_t header_limit = 4096;
constexpr int backlog = 128;
// Out of descriptors or memory: others may release some.
constexpr auto accept_pause = std::chrono::milliseconds(100);
// A client may still send this much after the answer to a request that was cut short. If the server closed with unread
// octets, the kernel would reset the connection and the client lose the answer.
constexpr std::size_t drain_limit = 65536;
constexpr auto drain_patience = std::chrono::seconds(1);

// Logs how a coroutine failed. Errors of the client end inside it, so this is a lack of memory.
void ended(std::exception_ptr failure) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        spdlog::error("an HTTP connection ended: {}", error.what());
    }
}

Reply make_reply(const Response& response, unsigned version, bool keep_alive, bool head) {
    Reply reply{response.status, version};
    reply.set(http::field::content_type, response.content_type);
    reply.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) reply.set(name, value);
    reply.keep_alive(keep_alive);
    reply.content_length(response.body.size());
    if (!head) reply.body() = response.body;
    return reply;
}

Response plain(http::status status, std::string text) {
    return {.status = status, .body = std::move(text) + "\n", .content_type = "text/plain; charset=utf-8"};
}

// Returns the answer to a broken request; none: the client is gone or too slow, and waits for no answer.
std::optional<Reply> refusal(const boost::system::error_code& error) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
        return make_reply(plain(http::status::request_header_fields_too_large, "the header is too large"), 11, false,
                          false);
    if (error.category() == make_error_code(http::error::bad_method).category())
        return make_reply(plain(http::status::bad_request, "not an HTTP request"), 11, false, false);
    return std::nullopt;
}

Reply answer(const Handler& handler, const http::request_parser<http::empty_body>& parser) {
    const auto& request = parser.get();
    bool head = request.method() == http::verb::head;
    // A body is not read: what follows it cannot be told from it, so it is the connection's last request.
    bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
    bool keep_alive = request.keep_alive() && !has_body;
    if (!head && request.method() != http::verb::get) {
        auto response = plain(http::status::method_not_allowed, "GET and HEAD only");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return make_reply(response, request.version(), keep_alive, false);
    }
    std::string_view path(request.target().data(), request.target().size());
    return make_reply(handler(path.substr(0, path.find('?'))), request.version(), keep_alive, head);
}

asio::awaitable<void> finish(Connection& connection) {
    auto& stream = connection.stream();
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream.expires_after(drain_patience);
    std::array<char, 4096> rest;
    for (std::size_t drained = 0; drained < drain_limit;) {
        auto [error, octets] = co_await stream.async_read_some(asio::buffer(rest), no_throw);
        if (error) break;
        drained += octets;
    }
}

asio::awaitable<void> converse(std::shared_ptr<State> state, tcp::socket socket) {
    Connection connection(std::move(socket), state->connections, state.get());
    auto& stream = connection.stream();
    boost::beast::flat_static_buffer<header_limit> buffer;
    while (true) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(header_limit);
        stream.expires_after(state->patience);
        auto [error, octets] = co_await http::async_read_header(stream, buffer, parser, no_throw);
        if (state->closed) co_return;
        std::optional<Reply> reply = error ? refusal(error) : answer(state->handler, parser);
        if (!reply) co_return;
        stream.expires_after(state->patience);
        auto [failure, written] = co_await http::async_write(stream, *reply, no_throw);
        if (failure || state->closed) co_return;
        if (!reply->keep_alive()) break;
        connection.renew();
    }
    co_await finish(connection);
}

asio::awaitable<void> accept(std::shared_ptr<State> state) {
    while (!state->closed) {
        auto [error, socket] = co_await state->acceptor.async_accept(no_throw);
        if (state->closed) co_return;
        if (error) {
            state->pause.expires_after(accept_pause);
            co_await state->pause.async_wait(no_throw);
        } else {
            asio::co_spawn(state->acceptor.get_executor(), converse(state, std::move(socket)), ended);
        }
    }
}

tcp::endpoint endpoint_of(const model::SocketAddress& at) {
    if (at.address.family() == model::Family::ipv4) return {asio::ip::address_v4(at.address.ipv4()), at.port};
    return {asio::ip::address_v6(at.address.bytes), at.port};
}

}  // namespace

std::expected<HttpServer, boost::system::error_code> HttpServer::listen(asio::io_context& io,
                                                                        const model::SocketAddress& at, Handler handler,
                                                                        std::shared_ptr<Connections> connections,
                                                                        std::chrono::milliseconds patience) {
    auto state = std::make_shared<State>(io, std::move(handler), std::move(connections), patience);
    auto endpoint = endpoint_of(at);
    auto& acceptor = state->acceptor;
    boost::system::error_code error;
    acceptor.open(endpoint.protocol(), error);
    // A restart must not wait for the connections of the agent before to be forgotten (TIME_WAIT).
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(backlog, error);
    if (error) return std::unexpected(error);
    asio::co_spawn(io, accept(state), ended);
    return HttpServer(std::move(state));
}

HttpServer::~HttpServer() {
    if (!state_) return;
    state_->closed = true;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    state_->pause.cancel();
    state_->connections->close_of(state_.get());
}

std::uint16_t HttpServer::port() const {
    boost::system::error_code error;
    return state_->acceptor.local_endpoint(error).port();
}

}  // namespace weir::serve
