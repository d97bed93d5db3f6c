// SPDX-License-Identifier: Apache-2.0
// Neighbours as last heard of: which news matters, and which of them to keep resolved. Pure bookkeeping.
#pragma once

#include <compare>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "loader/net/rtnetlink.hpp"

namespace weir::net {

class Neighbours {
public:
    struct Key {
        unsigned ifindex = 0;
        model::Address address;
        auto operator<=>(const Key&) const = default;
    };

    // most: neighbours that are remembered. Of further ones every event counts as news.
    explicit Neighbours(std::size_t most = 16384) : most_(most) {}

    // True: a next hop that was looked up before may be wrong now. A busy node's neighbours change between reachable,
    // stale, delay and probe all the time, and none of that matters. Nor does a neighbour that becomes known: no flow
    // remembers a way to a neighbour that was unknown.
    bool update(const Neighbour& neighbour);
    void replace(const std::vector<Neighbour>& all);

    // Stale neighbours on these interfaces are to be probed.
    void set_uplinks(std::set<unsigned> ifindexes);
    // The next one to probe. Each time that a neighbour turns stale it is named once.
    std::optional<Key> take_stale();
    bool has_stale() const { return !queue_.empty(); }

private:
    struct Known {
        std::string mac;
        bool stale = false;
        bool queued = false;
    };
    void queue(const Key& key, Known& known);

    std::size_t most_;
    bool overflowed_ = false;
    std::map<Key, Known> valid_;  // invalid ones are as good as none
    std::set<unsigned> uplinks_;
    std::deque<Key> queue_;
};

}  // namespace weir::net
