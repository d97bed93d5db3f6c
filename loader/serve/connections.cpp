// SPDX-License-Identifier: Apache-2.0
#include "loader/serve/connections.hpp"

namespace weir::serve {

void Connections::close_of(const void* server) {
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        auto* connection = *place++;
        if (connection->server_ == server) connection->close();
    }
}

Connection::Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Connections> all, const void* server)
    : stream_(std::move(socket)), all_(std::move(all)), server_(server) {
    while (!all_->waiting_.empty() && all_->waiting_.size() >= all_->limit_) all_->waiting_.front()->close();
    place_ = all_->waiting_.insert(all_->waiting_.end(), this);
}

Connection::~Connection() {
    close();
}

void Connection::renew() {
    if (open_) all_->waiting_.splice(all_->waiting_.end(), all_->waiting_, place_);
}

// Ends every wait on the stream with an error.
void Connection::close() {
    if (!open_) return;
    open_ = false;
    all_->waiting_.erase(place_);
    stream_.close();
}

}  // namespace weir::serve
