// SPDX-License-Identifier: Apache-2.0
// Has the flow tables swept when SweepSchedule says so, and logs the findings of a sweep: SNAT ports that run out, and
// sockets that were aborted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <set>

#include "loader/agent/problems.hpp"
#include "loader/agent/snat_watch.hpp"
#include "loader/agent/sweep_schedule.hpp"
#include "loader/apply/sweeper.hpp"
#include "loader/datapath/programs.hpp"

namespace weir::agent {

class SweepLoop {
public:
    struct Callbacks {
        std::function<void(bool is_done)> on_sweep;  // after every sweep; is_done is false if it failed
        std::function<void()> on_news;               // problems() may have changed
    };
    SweepLoop(boost::asio::io_context& io, const datapath::Programs& programs, const view::SnatRange& snat_ports,
              Problems& told, Callbacks callbacks);

    void begin();
    void removed(Removal what, bool is_crowded);

    std::vector<model::Problem> problems() const { return snat_watch_.problems(); }

private:
    void wait();
    void on_sweep(const std::expected<apply::Sweep, std::string>& result);
    void on_sockets(const std::expected<std::size_t, std::string>& aborted);
    void look_at_snat_ports(const std::vector<view::SnatUse>& uses);
    std::uint64_t snat_drops() const;
    SnatWatch::Owners owners_of(const std::set<view::SnatEndpoint>& endpoints);

    const datapath::Programs& programs_;
    Problems& told_;
    Callbacks callbacks_;
    SweepSchedule schedule_;
    SnatWatch snat_watch_;
    boost::asio::steady_timer timer_;
    apply::Sweeper sweeper_;
};

}  // namespace weir::agent
