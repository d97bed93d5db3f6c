// SPDX-License-Identifier: Apache-2.0
#include "loader/net/neighbours.hpp"

#include <utility>

namespace weir::net {

bool Neighbours::update(const Neighbour& neighbour) {
    Key key{neighbour.ifindex, neighbour.address};
    auto found = valid_.find(key);
    if (!neighbour.valid) {
        if (found == valid_.end()) return overflowed_;
        valid_.erase(found);
        return true;
    }
    bool news = overflowed_;
    if (found == valid_.end()) {
        if (valid_.size() >= most_) {
            overflowed_ = true;
            return true;
        }
        found = valid_.emplace(key, Known{.mac = neighbour.mac}).first;
    } else {
        news = found->second.mac != neighbour.mac;
        found->second.mac = neighbour.mac;
    }
    found->second.stale = neighbour.stale;
    queue(key, found->second);
    return news;
}

void Neighbours::replace(const std::vector<Neighbour>& all) {
    valid_.clear();
    queue_.clear();
    overflowed_ = false;
    for (const auto& neighbour : all) update(neighbour);
}

void Neighbours::set_uplinks(std::set<unsigned> ifindexes) {
    uplinks_ = std::move(ifindexes);
    for (auto& [key, known] : valid_) queue(key, known);
}

void Neighbours::queue(const Key& key, Known& known) {
    if (!known.stale || known.queued || !uplinks_.contains(key.ifindex) || queue_.size() >= most_) return;
    known.queued = true;
    queue_.push_back(key);
}

std::optional<Neighbours::Key> Neighbours::take_stale() {
    while (!queue_.empty()) {
        Key key = queue_.front();
        queue_.pop_front();
        auto found = valid_.find(key);
        if (found == valid_.end()) continue;
        auto& known = found->second;
        known.queued = false;
        // The kernel does not announce that it went on from stale to delay.
        if (std::exchange(known.stale, false) && uplinks_.contains(key.ifindex)) return key;
    }
    return std::nullopt;
}

}  // namespace weir::net
