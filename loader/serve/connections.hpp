// SPDX-License-Identifier: Apache-2.0
// HTTP connections that share a limit, so that no crowd of clients takes the agent's memory and descriptors.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <cstddef>
#include <list>
#include <memory>

namespace weir::serve {

class Connection;

// When the limit is reached, the connection that has been without a complete request for longest makes way for the new
// one. Refusing the new one instead would let a few silent clients lock everybody else out.
class Connections {
public:
    explicit Connections(std::size_t limit) : limit_(limit) {}
    std::size_t count() const { return waiting_.size(); }
    void close_of(const void* server);

private:
    friend class Connection;
    using Queue = std::list<Connection*>;

    std::size_t limit_;
    Queue waiting_;  // the next to make way first
};

// One client, in its place of the queue while it is open.
class Connection {
public:
    // server: whose connection it is, for close_of.
    Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Connections> all, const void* server);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    boost::beast::tcp_stream& stream() { return stream_; }
    // A request has been answered: others make way first.
    void renew();

private:
    friend class Connections;
    void close();

    boost::beast::tcp_stream stream_;
    std::shared_ptr<Connections> all_;
    const void* server_;
    Connections::Queue::iterator place_;
    bool open_ = true;
};

}  // namespace weir::serve
