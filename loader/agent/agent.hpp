// SPDX-License-Identifier: Apache-2.0
// The agent: one event loop. It plans from what the source and netlink report, passes the plans to the consumers, and
// attaches the programs once the maps are filled. The parts hold the state and the rules; this class wires them.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <expected>
#include <string>
#include <vector>

#include "loader/agent/attachments.hpp"
#include "loader/agent/health.hpp"
#include "loader/agent/node.hpp"
#include "loader/agent/planning.hpp"
#include "loader/agent/problems.hpp"
#include "loader/agent/programmer.hpp"
#include "loader/agent/publisher.hpp"
#include "loader/agent/sweep_loop.hpp"
#include "loader/apply/kernel_writer.hpp"
#include "loader/config/config.hpp"
#include "loader/datapath/programs.hpp"
#include "loader/net/links.hpp"
#include "loader/source/manifests/manifests.hpp"

namespace weir::agent {

class Agent {
public:
    Agent(boost::asio::io_context& io, const config::Config& config, const datapath::Programs& programs,
          StateFile state);

    // Takes over the content of the maps, then follows interfaces and source. The error says why it cannot.
    std::expected<void, std::string> start();

private:
    void adopt();
    void on_links(net::Links links);
    void on_routes();
    void on_source(source::Report report);
    void on_sweep(bool is_done);

    void update_node();
    void program();
    void tell(const std::vector<plan::ServicePlan>& plans);
    void on_written();
    void retry_later();
    void attach_links();
    std::array<plan::Consumer*, 2> consumers() { return {&programmer_, &health_}; }
    boost::json::object state() const;

    const config::Config& config_;
    const datapath::Programs& programs_;
    apply::KernelWriter writer_;
    Problems problems_;
    Node node_;
    Programmer programmer_;
    Planning planning_;
    Attachments attachments_;
    Publisher publisher_;
    AgentHealth health_;
    SweepLoop sweeps_;
    net::LinkWatch links_watch_;
    source::ManifestSource source_;
    boost::asio::steady_timer retry_timer_;
};

}  // namespace weir::agent
