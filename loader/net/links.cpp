// SPDX-License-Identifier: Apache-2.0
#include "loader/net/links.hpp"

#include <linux/rtnetlink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "loader/net/neighbours.hpp"
#include "loader/net/netlink.hpp"
#include "loader/net/rtnetlink.hpp"

namespace weir::net {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// An interface that comes up makes a dozen events within a millisecond.
constexpr auto burst = 5ms;
constexpr auto route_call_gap = 100ms;
constexpr auto retry_delay = 1s;
// At most a hundred probes a second: ARP traffic that no network notices. With the kernel's default reachable time of
// 15 to 45 s this keeps some thousand neighbours.
constexpr auto probe_period = 100ms;
constexpr int probes_at_once = 10;
// Datagrams that are read before others on the event loop have their turn.
constexpr int most_reads = 64;

Links compose(const LinkMap& links, const AddressMap& addresses, const std::set<unsigned>& default_routes) {
    Links composed;
    for (const auto& [ifindex, message] : links) {
        auto& link = composed.all.emplace_back(message.link);
        if (auto own = addresses.find(ifindex); own != addresses.end()) link.addresses = own->second;
    }
    composed.default_routes.assign(default_routes.begin(), default_routes.end());
    return composed;
}

bool bears_on_routes(const LinkMessage& before, const LinkMessage& after) {
    return before.link.up != after.link.up || before.running != after.running || before.mac != after.mac ||
           before.link.mtu != after.link.mtu || before.link.master != after.link.master;
}

}  // namespace

std::expected<Links, std::string> read_links() {
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) return std::unexpected(socket.error());
    auto links = dump_links(*socket);
    if (!links) return std::unexpected(links.error());
    auto addresses = dump_addresses(*socket);
    if (!addresses) return std::unexpected(addresses.error());
    auto default_routes = dump_default_routes(*socket);
    if (!default_routes) return std::unexpected(default_routes.error());
    return compose(*links, *addresses, *default_routes);
}

// Handlers that wait in the event loop hold this weakly: one that was due when the LinkWatch went away finds nothing.
class LinkWatch::Watch : public std::enable_shared_from_this<Watch> {
public:
    Watch(boost::asio::io_context& io, Callbacks callbacks)
        : callbacks_(std::move(callbacks)),
          descriptor_(io),
          resume_timer_(io),
          flush_timer_(io),
          route_timer_(io),
          probe_timer_(io) {}

    std::expected<void, std::string> start();
    void stop();
    void set_uplinks(std::set<unsigned> ifindexes);

private:
    // The parts of the state that must be read again.
    struct Unread {
        bool links = false;
        bool addresses = false;
        bool default_routes = false;
        bool neighbours = false;
    };

    // Calls member when the timer fires, if this still exists and is wanted.
    void at(boost::asio::steady_timer& timer, Clock::time_point when, void (Watch::*member)());

    void wait_for_events();
    void read_events();
    void take(const nlmsghdr& message);
    void take_link(const nlmsghdr& message);
    void overrun();
    void flush_after(Clock::duration delay);
    void flush();
    std::expected<void, std::string> read_again();
    void routes_changed();
    void call_on_routes();
    void probe_soon();
    void probe();

    Callbacks callbacks_;
    std::optional<NetlinkSocket> requests_;
    std::optional<NetlinkSocket> events_;
    boost::asio::posix::stream_descriptor descriptor_;  // of events_, which owns it
    boost::asio::steady_timer resume_timer_;
    boost::asio::steady_timer flush_timer_;
    boost::asio::steady_timer route_timer_;
    boost::asio::steady_timer probe_timer_;

    LinkMap links_;
    AddressMap addresses_;
    std::set<unsigned> default_routes_;
    Neighbours neighbours_;
    Unread unread_;
    std::optional<Links> told_;
    Clock::time_point routes_told_{};
    bool stopped_ = false;
    bool flush_pending_ = false;
    bool route_call_pending_ = false;
    bool probe_pending_ = false;
    bool failing_ = false;
};

void LinkWatch::Watch::at(boost::asio::steady_timer& timer, Clock::time_point when, void (Watch::*member)()) {
    timer.expires_at(when);
    timer.async_wait([weak = weak_from_this(), member](const boost::system::error_code& error) {
        auto self = weak.lock();
        if (!error && self && !self->stopped_) ((*self).*member)();
    });
}

std::expected<void, std::string> LinkWatch::Watch::start() {
    auto requests = NetlinkSocket::open(NETLINK_ROUTE);
    if (!requests) return std::unexpected(requests.error());
    // Nexthop objects and rules steer routes without a route event.
    auto events = NetlinkSocket::subscribe(
        NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                        RTNLGRP_NEIGH, RTNLGRP_NEXTHOP, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE});
    if (!events) return std::unexpected(events.error());
    requests_ = std::move(*requests);
    events_ = std::move(*events);
    // Subscribed first, read then: nothing falls between the two.
    unread_ = {.links = true, .addresses = true, .default_routes = true, .neighbours = true};
    if (auto read = read_again(); !read) return read;
    descriptor_.assign(events_->fd());
    wait_for_events();
    flush_after(Clock::duration::zero());
    routes_changed();
    return {};
}

void LinkWatch::Watch::stop() {
    stopped_ = true;
    resume_timer_.cancel();
    flush_timer_.cancel();
    route_timer_.cancel();
    probe_timer_.cancel();
    if (descriptor_.is_open()) descriptor_.release();
}

void LinkWatch::Watch::set_uplinks(std::set<unsigned> ifindexes) {
    neighbours_.set_uplinks(std::move(ifindexes));
    probe_soon();
}

void LinkWatch::Watch::wait_for_events() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                               auto self = weak.lock();
                               if (!error && self && !self->stopped_) self->read_events();
                           });
}

void LinkWatch::Watch::read_events() {
    for (int read = 0; read < most_reads; ++read) {
        auto received = events_->receive([this](const nlmsghdr& message) { take(message); });
        if (!received) {
            spdlog::error("{}; going on in a second", received.error());
            overrun();
            at(resume_timer_, Clock::now() + retry_delay, &Watch::wait_for_events);
            return;
        }
        if (*received == NetlinkSocket::Received::overrun) overrun();
        if (*received == NetlinkSocket::Received::nothing) break;
    }
    wait_for_events();
}

void LinkWatch::Watch::overrun() {
    // Drops the waiting events: they are older than the dump, and the kernel has lost the newer ones.
    for (;;) {
        auto received = events_->receive([](const nlmsghdr&) {});
        if (!received || *received == NetlinkSocket::Received::nothing) break;
    }
    unread_ = {.links = true, .addresses = true, .default_routes = true, .neighbours = true};
    routes_changed();
    flush_after(burst);
}

void LinkWatch::Watch::take(const nlmsghdr& message) {
    switch (message.nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            take_link(message);
            break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
            // The order among addresses is in no event: they are read again.
            if (!is_global_address(message)) break;
            unread_.addresses = true;
            flush_after(burst);
            break;
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            if (!is_route(message)) break;
            routes_changed();
            if (!is_default_route(message)) break;
            // An IPv4 route that replaces another says nothing of the one that it replaces.
            unread_.default_routes = true;
            flush_after(burst);
            break;
        case RTM_NEWNEIGH:
        case RTM_DELNEIGH:
            if (auto neighbour = parse_neighbour(message); neighbour && neighbours_.update(*neighbour))
                routes_changed();
            probe_soon();
            break;
        case RTM_NEWNEXTHOP:
        case RTM_DELNEXTHOP:
        case RTM_NEWRULE:
        case RTM_DELRULE:
            routes_changed();
            break;
        default:
            break;
    }
}

void LinkWatch::Watch::take_link(const nlmsghdr& message) {
    auto parsed = parse_link(message);
    if (!parsed) return;
    auto ifindex = parsed->link.ifindex;
    auto known = links_.find(ifindex);
    bool was_known = known != links_.end();
    if (message.nlmsg_type == RTM_DELLINK) {
        if (!was_known) return;
        links_.erase(known);
        routes_changed();
        // Gone into another namespace, maybe: its peer is not announced for that.
        if (std::ranges::any_of(links_, [&](const auto& entry) { return entry.second.peer == ifindex; }))
            unread_.links = true;
    } else {
        if (was_known && known->second == *parsed) return;
        if (was_known && bears_on_routes(known->second, *parsed)) routes_changed();
        links_.insert_or_assign(ifindex, std::move(*parsed));
    }
    // IPv4 routes by a device that goes down or away vanish without an event of their own.
    if (default_routes_.contains(ifindex)) unread_.default_routes = true;
    flush_after(burst);
}

void LinkWatch::Watch::flush_after(Clock::duration delay) {
    if (std::exchange(flush_pending_, true)) return;
    at(flush_timer_, Clock::now() + delay, &Watch::flush);
}

void LinkWatch::Watch::flush() {
    flush_pending_ = false;
    if (auto read = read_again(); !read) {
        if (!std::exchange(failing_, true)) spdlog::error("{}; trying again every second", read.error());
        flush_after(retry_delay);
        return;
    }
    failing_ = false;
    auto now = compose(links_, addresses_, default_routes_);
    if (told_ == now) return;
    told_ = std::move(now);
    // A copy: the callback may end this watch, or make it tell the next state.
    auto telling = *told_;
    callbacks_.on_links(telling.all, telling.default_routes);
}

std::expected<void, std::string> LinkWatch::Watch::read_again() {
    auto read = [&](bool& unread, auto dump, auto take) -> std::expected<void, std::string> {
        if (!unread) return {};
        auto result = dump(*requests_);
        if (!result) return std::unexpected(result.error());
        take(*result);
        unread = false;
        return {};
    };
    auto result = read(unread_.links, dump_links, [this](auto& links) { links_ = std::move(links); });
    if (result) result = read(unread_.addresses, dump_addresses, [this](auto& all) { addresses_ = std::move(all); });
    if (result)
        result =
            read(unread_.default_routes, dump_default_routes, [this](auto& all) { default_routes_ = std::move(all); });
    if (result) result = read(unread_.neighbours, dump_neighbours, [this](auto& all) { neighbours_.replace(all); });
    probe_soon();
    return result;
}

void LinkWatch::Watch::routes_changed() {
    if (std::exchange(route_call_pending_, true)) return;
    at(route_timer_, std::max(Clock::now(), routes_told_ + route_call_gap), &Watch::call_on_routes);
}

void LinkWatch::Watch::call_on_routes() {
    route_call_pending_ = false;
    routes_told_ = Clock::now();
    callbacks_.on_routes();
}

void LinkWatch::Watch::probe_soon() {
    if (!neighbours_.has_stale() || std::exchange(probe_pending_, true)) return;
    at(probe_timer_, Clock::now() + probe_period, &Watch::probe);
}

void LinkWatch::Watch::probe() {
    probe_pending_ = false;
    for (int probes = 0; probes < probes_at_once; ++probes) {
        auto stale = neighbours_.take_stale();
        if (!stale) break;
        // The request fails if the neighbour has gone; the next event tells of that.
        if (auto used = use_neighbour(*requests_, stale->ifindex, stale->address); !used)
            spdlog::debug("{}: {}", stale->address.to_string(), used.error());
    }
    probe_soon();
}

LinkWatch::LinkWatch(boost::asio::io_context& io, Callbacks callbacks)
    : watch_(std::make_shared<Watch>(io, std::move(callbacks))) {}

LinkWatch::~LinkWatch() {
    watch_->stop();
}

std::expected<void, std::string> LinkWatch::start() {
    return watch_->start();
}

void LinkWatch::set_uplinks(std::set<unsigned> ifindexes) {
    watch_->set_uplinks(std::move(ifindexes));
}

}  // namespace weir::net
