// SPDX-License-Identifier: Apache-2.0
// The agent: one event loop that owns cluster state, plan and maps. Changes come in from the source and from netlink,
// are planned, and go out to the kernel in an order that is always safe.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "loader/agent/health.hpp"
#include "loader/agent/snat_watch.hpp"
#include "loader/agent/state_file.hpp"
#include "loader/apply/kernel_writer.hpp"
#include "loader/apply/sweeper.hpp"
#include "loader/config/config.hpp"
#include "loader/datapath/attach.hpp"
#include "loader/datapath/programs.hpp"
#include "loader/model/cluster.hpp"
#include "loader/net/links.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/planner.hpp"
#include "loader/source/manifests/manifests.hpp"

namespace weir::agent {

class Agent {
public:
    Agent(boost::asio::io_context& io, const config::Config& config, const datapath::Programs& programs,
          StateFile state);

    // Takes over what the maps hold, then follows interfaces and source. The error says why it cannot.
    std::expected<void, std::string> start();

private:
    void adopt();
    void on_links(const std::vector<net::Link>& links, const std::vector<unsigned>& default_routes);
    void on_routes();
    void on_source(source::Report report);
    void on_sweep(const std::expected<apply::Sweep, std::string>& result);
    void look_at_snat_ports(const std::vector<view::SnatUse>& uses);
    std::uint64_t snat_drops() const;
    SnatWatch::Owners owners_of(const std::set<view::SnatEndpoint>& endpoints);

    void attach_links();
    void attach_sockets();
    void on_sockets(const std::expected<std::size_t, std::string>& aborted);
    void update_node();
    void program();
    void apply(plan::MapChanges changes);
    void retry_later();
    void sweep_after(std::chrono::steady_clock::duration delay);
    void sweep_later();
    void sweep_after_removal();
    void note_datagrams(const plan::ServicePlan& plan, bool removal);
    void note_problem(const std::string& key, std::vector<model::Problem> problems);
    void publish_later();
    boost::json::object state() const;
    plan::NodeContext node_context() const;

    boost::asio::io_context& io_;
    const config::Config& config_;
    const datapath::Programs& programs_;
    StateFile state_file_;
    apply::KernelWriter writer_;
    datapath::Attacher attacher_;
    apply::Sweeper sweeper_;
    net::LinkWatch links_watch_;
    source::ManifestSource source_;

    // What node_ is made from comes before it.
    std::vector<net::Link> links_;
    std::vector<unsigned> default_routes_;
    model::Cluster cluster_;
    plan::NodeContext node_;
    plan::Planner planner_;
    plan::Layout layout_;

    std::map<unsigned, datapath::Attached> attached_;
    std::map<unsigned, std::string> attach_failures_;
    std::string socket_cgroup_;                // whose processes are served; empty: none
    std::string socket_problem_;               // why they are not, or what they lack
    std::vector<plan::MapChanges> unwritten_;  // in order; kept until the kernel takes them
    std::string write_failure_;
    std::vector<model::Problem> source_problems_;
    std::map<model::ObjectName, plan::ServiceState> not_planned_;
    std::set<model::ObjectName> datagram_services_;  // with ports of UDP or SCTP
    bool datagrams_left_ = false;  // backends of theirs are among those that go, or are gone since the last sweep
    std::map<std::string, std::vector<model::Problem>> plan_problems_;  // by Service, and of "health"
    std::set<std::string> logged_;
    AgentHealth health_;
    SnatWatch snat_watch_;
    bool links_known_ = false;
    bool source_known_ = false;
    // Adopted maps, and a source that does not read cleanly: nothing is taken away that these files may have held.
    bool held_ = false;
    std::set<model::ObjectName> kept_;  // Services that would have lost all their endpoints meanwhile
    bool ready_ = false;
    bool adoption_open_ = false;
    std::uint64_t programmed_ = 0;  // times that the maps were brought up to date

    boost::asio::steady_timer retry_timer_;
    boost::asio::steady_timer sweep_timer_;
    boost::asio::steady_timer publish_timer_;
    bool publish_pending_ = false;
};

}  // namespace weir::agent
