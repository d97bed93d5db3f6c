// SPDX-License-Identifier: Apache-2.0
// LinkWatch against the running kernel, in network namespaces of the test's own. Needs root.
#include "loader/net/links.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "loader/net/netlink.hpp"
#include "loader/net/rtnetlink.hpp"
#include "maps/fd.hpp"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

maps::Fd current_namespace() {
    return maps::Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

class LinkWatchTest : public testing::Test {
protected:
    void SetUp() override {
        outside_ = current_namespace();
        if (::unshare(CLONE_NEWNET) != 0) FAIL() << "these tests make network namespaces: run them as root";
        elsewhere_ = current_namespace();
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        ip("link set lo up");
    }

    void TearDown() override { ::setns(outside_.get(), CLONE_NEWNET); }

    // Runs these lines as an ip(8) batch.
    void ip(const std::string& lines) {
        std::FILE* process = ::popen("ip -batch -", "w");
        ASSERT_NE(process, nullptr);
        std::fputs(lines.c_str(), process);
        ASSERT_EQ(::pclose(process), 0) << "ip failed in: " << lines.substr(0, 200);
    }

    // Returns the other namespace, for ip's "netns" argument.
    std::string elsewhere() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), elsewhere_.get()); }

    void start() {
        watch_.emplace(io_, LinkWatch::Callbacks{
                                .on_links =
                                    [this](const auto& links, const auto& default_routes) {
                                        links_ = links;
                                        default_routes_ = default_routes;
                                        ++link_calls_;
                                    },
                                .on_routes = [this] { route_calls_.push_back(std::chrono::steady_clock::now()); }});
        auto started = watch_->start();
        ASSERT_TRUE(started) << started.error();
        ASSERT_TRUE(run_until([this] { return link_calls_ > 0 && !route_calls_.empty(); }));
    }

    // Returns false if the condition did not come true before the deadline.
    bool run_until(const std::function<bool()>& condition) {
        auto deadline = std::chrono::steady_clock::now() + 10s;
        while (!condition()) {
            if (io_.run_one_until(deadline) == 0) return condition();
        }
        return true;
    }

    const Link* link(const std::string& name) const {
        auto found = std::ranges::find(links_, name, &Link::name);
        return found == links_.end() ? nullptr : &*found;
    }

    // Runs until LinkWatch has handled every event from before this call. It renames a link, which affects no route,
    // waits for that event, and then long enough for a route callback that was already due.
    void settle() {
        auto name = fmt::format("marker{}", ++markers_);
        ip(markers_ == 1 ? fmt::format("link add {} type bridge\n", name)
                         : fmt::format("link set marker{} name {}\n", markers_ - 1, name));
        ASSERT_TRUE(run_until([&] { return link(name) != nullptr; }));
        io_.run_for(150ms);
    }

    std::vector<std::string> addresses(const std::string& name) const {
        std::vector<std::string> texts;
        for (const auto& address : link(name)->addresses) texts.push_back(address.to_string());
        return texts;
    }

    maps::Fd outside_;
    maps::Fd elsewhere_;
    boost::asio::io_context io_;
    std::optional<LinkWatch> watch_;
    std::vector<Link> links_;
    std::vector<unsigned> default_routes_;
    int link_calls_ = 0;
    std::vector<std::chrono::steady_clock::time_point> route_calls_;
    int markers_ = 0;
};

TEST_F(LinkWatchTest, TellsWhatIsThereAtStart) {
    ip("link add up0 type veth peer name far0 netns " + elsewhere() +
       "\n"
       "link add br0 type bridge\n"
       "link add pod0 mtu 1400 master br0 type veth peer name eth0 netns " +
       elsewhere() +
       "\n"
       "link set up0 up\n"
       "addr add 192.0.2.1/24 dev up0\n"
       "route add default dev up0\n");
    start();
    ASSERT_TRUE(link("lo") && link("up0") && link("br0") && link("pod0"));
    EXPECT_FALSE(link("lo")->ethernet);
    EXPECT_EQ(link("br0")->kind, "bridge");
    EXPECT_FALSE(link("br0")->up);
    EXPECT_TRUE(link("up0")->up);
    EXPECT_TRUE(link("up0")->ethernet);
    EXPECT_EQ(link("pod0")->kind, "veth");
    EXPECT_TRUE(link("pod0")->peer_elsewhere);
    EXPECT_EQ(link("pod0")->mtu, 1400u);
    EXPECT_EQ(link("pod0")->master, link("br0")->ifindex);
    EXPECT_THAT(addresses("up0"), ElementsAre("192.0.2.1"));
    EXPECT_THAT(default_routes_, ElementsAre(link("up0")->ifindex));
    auto once = read_links();
    ASSERT_TRUE(once) << once.error();
    EXPECT_EQ(once->all, links_);
    EXPECT_EQ(once->default_routes, default_routes_);
}

TEST_F(LinkWatchTest, FollowsInterfacesThatComeAndGo) {
    start();
    ip("link add pod0 type veth peer name eth0 netns " + elsewhere() + "\nlink add br0 type bridge\n");
    ASSERT_TRUE(run_until([&] { return link("pod0") && link("br0"); }));
    EXPECT_TRUE(link("pod0")->peer_elsewhere);
    ip("link set pod0 master br0\n");
    ASSERT_TRUE(run_until([&] { return link("pod0")->master == link("br0")->ifindex; }));
    // When a port leaves a bridge, the kernel announces it with what looks like the deletion of the interface.
    ip("link set pod0 nomaster\n");
    ASSERT_TRUE(run_until([&] { return link("pod0")->master == 0; }));
    settle();
    EXPECT_NE(link("pod0"), nullptr);
    ip("link del pod0\n");
    ASSERT_TRUE(run_until([&] { return !link("pod0"); }));
}

TEST_F(LinkWatchTest, NoticesThatAPeerMovedElsewhere) {
    ip("link add pod0 type veth peer name eth0\n");
    start();
    EXPECT_FALSE(link("pod0")->peer_elsewhere);
    ip("link set eth0 netns " + elsewhere() + "\n");
    ASSERT_TRUE(run_until([&] { return link("pod0")->peer_elsewhere; }));
    EXPECT_EQ(link("eth0"), nullptr);
}

TEST_F(LinkWatchTest, ABurstIsOneCall) {
    start();
    settle();
    int before = link_calls_;
    std::string lines;
    for (int i = 0; i < 50; ++i) lines += fmt::format("link add br{} type bridge\nlink set br{} up\n", i, i);
    ip(lines);
    ASSERT_TRUE(run_until([&] { return link("br49") && link("br49")->up; }));
    EXPECT_LE(link_calls_ - before, 3);
}

TEST_F(LinkWatchTest, AddressesInTheKernelsOrder) {
    ip("link add up0 type veth peer name far0\nlink set up0 up\n");
    start();
    ip("addr add 192.0.2.1/24 dev up0\n"
       "addr add 192.0.2.2/24 dev up0\n"
       "addr add 198.51.100.1/24 dev up0\n"
       "addr add 169.254.1.1/32 scope link dev up0\n"
       "addr add 2001:db8::1/64 dev up0 nodad\n"
       "addr add 2001:db8::2/64 dev up0 nodad preferred_lft 0\n"
       "addr add fe80::9/64 dev up0 nodad\n");
    ASSERT_TRUE(run_until([&] { return addresses("up0").size() == 4; }));
    settle();
    EXPECT_THAT(addresses("up0"), ElementsAre("192.0.2.1", "198.51.100.1", "192.0.2.2", "2001:db8::1"));
    ip("addr del 198.51.100.1/24 dev up0\n");
    ASSERT_TRUE(run_until([&] { return addresses("up0").size() == 3; }));
}

TEST_F(LinkWatchTest, DefaultRoutesOfEveryKind) {
    ip("link add up0 type veth peer name far0\nlink add up1 type veth peer name far1\n"
       "link set up0 up\nlink set up1 up\nlink set far0 up\nlink set far1 up\n"
       "addr add 192.0.2.1/24 dev up0\naddr add 198.51.100.1/24 dev up1\naddr add 2001:db8::1/64 dev up1 nodad\n");
    start();
    EXPECT_THAT(default_routes_, IsEmpty());
    auto up0 = link("up0")->ifindex;
    auto up1 = link("up1")->ifindex;
    ip("route add default via 192.0.2.9\n");
    ASSERT_TRUE(run_until([&] { return default_routes_ == std::vector{up0}; }));
    // The kernel sends only one event, which names up1 alone.
    ip("route replace default via 198.51.100.9\n");
    ASSERT_TRUE(run_until([&] { return default_routes_ == std::vector{up1}; }));
    ip("route replace default nexthop via 192.0.2.9 nexthop via 198.51.100.9\n");
    ASSERT_TRUE(run_until([&] { return default_routes_.size() == 2; }));
    ip("route del default\n");
    ASSERT_TRUE(run_until([&] { return default_routes_.empty(); }));
    ip("route add default via 2001:db8::9\n");
    ASSERT_TRUE(run_until([&] { return default_routes_ == std::vector{up1}; }));
    ip("route add unreachable default metric 9999\nroute add default via 192.0.2.9 table 100\n");
    ASSERT_TRUE(run_until([&] { return default_routes_.size() == 2; }));
    // The kernel removes IPv4 routes of a device that goes down without an event.
    ip("link set up0 down\n");
    ASSERT_TRUE(run_until([&] { return default_routes_ == std::vector{up1}; }));
}

TEST_F(LinkWatchTest, RouteNewsIsRateLimitedAndNeverLost) {
    ip("link add up0 type veth peer name far0\nlink set up0 up\nlink set far0 up\n");
    start();
    settle();
    route_calls_.clear();
    // Changes routes for a second and runs the event loop once after each change.
    auto end = std::chrono::steady_clock::now() + 1s;
    std::chrono::steady_clock::time_point last_change;
    for (int i = 0; std::chrono::steady_clock::now() < end; ++i) {
        ip(fmt::format("route {} 10.1.0.0/24 dev up0\n", i % 2 ? "del" : "add"));
        last_change = std::chrono::steady_clock::now();
        io_.poll();
    }
    ASSERT_TRUE(run_until([&] { return !route_calls_.empty() && route_calls_.back() > last_change; }));
    EXPECT_GE(route_calls_.size(), 5u);
    for (std::size_t i = 1; i < route_calls_.size(); ++i) EXPECT_GE(route_calls_[i] - route_calls_[i - 1], 99ms);
    auto calls = route_calls_.size();
    settle();
    EXPECT_LE(route_calls_.size(), calls + 1);
}

TEST_F(LinkWatchTest, LinksAndRulesBearOnRoutes) {
    ip("link add up0 type veth peer name far0\nlink set far0 up\nlink set up0 up\n");
    start();
    for (const auto* change :
         {"link set up0 down", "link set up0 up", "link set up0 address 02:00:00:00:00:77", "link set far0 down",
          "link set up0 mtu 1400", "rule add to 10.9.0.0/16 table 9", "nexthop add id 7 dev lo", "link del up0"}) {
        settle();
        auto calls = route_calls_.size();
        ip(std::string(change) + "\n");
        EXPECT_TRUE(run_until([&] { return route_calls_.size() > calls; })) << change;
    }
}

TEST_F(LinkWatchTest, NeighboursThatOnlyAgeAreNoNews) {
    ip("link add up0 type veth peer name far0\nlink set up0 up\nlink set far0 up\naddr add 192.0.2.1/24 dev up0\n");
    start();
    settle();
    auto calls = route_calls_.size();
    for (const auto* state : {"reachable", "stale", "reachable", "delay", "permanent"})
        ip(fmt::format("neigh replace 192.0.2.9 lladdr 02:00:00:00:00:01 nud {} dev up0\n", state));
    settle();
    EXPECT_EQ(route_calls_.size(), calls);
    for (const auto* change :
         {"neigh replace 192.0.2.9 lladdr 02:00:00:00:00:02 nud stale dev up0", "neigh del 192.0.2.9 dev up0"}) {
        ip(std::string(change) + "\n");
        EXPECT_TRUE(run_until([&] { return route_calls_.size() > calls; })) << change;
        settle();
        calls = route_calls_.size();
    }
}

TEST_F(LinkWatchTest, StaleNeighboursOfUplinksAreProbed) {
    ip("link add up0 type veth peer name far0\nlink add up1 type veth peer name far1\n"
       "link set up0 up\nlink set far0 up\nlink set up1 up\nlink set far1 up\n"
       "addr add 192.0.2.1/24 dev up0\naddr add 198.51.100.1/24 dev up1\n"
       "neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 nud stale dev up0\n"
       "neigh add 198.51.100.9 lladdr 02:00:00:00:00:02 nud stale dev up1\n"
       "neigh add 2001:db8::9 lladdr 02:00:00:00:00:03 nud stale dev up0\n");
    start();
    auto up0 = link("up0")->ifindex;
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket);
    auto neighbour = [&](const std::string& address) {
        auto all = dump_neighbours(*socket);
        auto found = std::ranges::find(*all, *model::Address::parse(address), &Neighbour::address);
        return found == all->end() ? Neighbour{} : *found;
    };
    auto stale = [&](const std::string& address) { return neighbour(address).valid && neighbour(address).stale; };
    auto in_use = [&](const std::string& address) { return neighbour(address).valid && !neighbour(address).stale; };
    EXPECT_TRUE(stale("192.0.2.9") && stale("198.51.100.9") && stale("2001:db8::9"));
    watch_->set_uplinks({up0});
    EXPECT_TRUE(run_until([&] { return in_use("192.0.2.9") && in_use("2001:db8::9"); }));
    // This neighbour turns stale later.
    ip("neigh add 192.0.2.10 lladdr 02:00:00:00:00:04 nud stale dev up0\n");
    EXPECT_TRUE(run_until([&] { return in_use("192.0.2.10"); }));
    EXPECT_TRUE(stale("198.51.100.9"));
}

TEST_F(LinkWatchTest, ReadsAgainWhatAnOverrunLost) {
    ip("link add up0 type veth peer name far0\nlink set up0 up\nlink set far0 up\nlink add gone0 type bridge\n");
    start();
    // Fills the socket's buffer with events, then makes changes whose events the kernel has to drop.
    std::string lines;
    for (int i = 0; i < 30000; ++i)
        lines += fmt::format("route add 10.{}.{}.{}/32 dev up0\n", i / 65536, i / 256 % 256, i % 256);
    lines += "link add late0 type bridge\nlink del gone0\naddr add 192.0.2.1/24 dev up0\nroute add default dev up0\n";
    ip(lines);
    auto calls = route_calls_.size();
    ASSERT_TRUE(run_until([&] { return link("late0") && !link("gone0"); }));
    ASSERT_TRUE(run_until([&] { return route_calls_.size() > calls; }));
    EXPECT_THAT(addresses("up0"), ElementsAre("192.0.2.1"));
    EXPECT_THAT(default_routes_, ElementsAre(link("up0")->ifindex));
    // LinkWatch goes on from there.
    ip("link del late0\n");
    EXPECT_TRUE(run_until([&] { return !link("late0"); }));
}

TEST_F(LinkWatchTest, NoCallAfterTheEnd) {
    start();
    ip("link add br0 type bridge\n");
    io_.poll();
    int calls = link_calls_;
    auto route_calls = route_calls_.size();
    watch_.reset();
    io_.run_for(200ms);
    EXPECT_EQ(link_calls_, calls);
    EXPECT_EQ(route_calls_.size(), route_calls);
}

TEST_F(LinkWatchTest, MayEndWithinItsOwnCallback) {
    int calls = 0;
    watch_.emplace(io_, LinkWatch::Callbacks{.on_links =
                                                 [&](const auto&, const auto&) {
                                                     ++calls;
                                                     watch_.reset();
                                                 },
                                             .on_routes = [] {}});
    ASSERT_TRUE(watch_->start());
    io_.run_for(200ms);
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir::net
