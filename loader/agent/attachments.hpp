// SPDX-License-Identifier: Apache-2.0
// The interfaces that have the programs, those that should have them and cannot, and the cgroup of the socket hooks.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loader/agent/hooks.hpp"
#include "loader/agent/problems.hpp"
#include "loader/net/roles.hpp"
#include "loader/plan/plan.hpp"
#include "maps/abi.h"

namespace weir::agent {

class Attachments {
public:
    // told: remembers what has been logged already.
    Attachments(std::unique_ptr<Hooks> hooks, const net::InterfaceRules& rules, Problems& told)
        : hooks_(std::move(hooks)), rules_(rules), told_(told) {}

    struct Outcome {
        std::map<unsigned, abi::device> uplinks;  // by ifindex, to be written to the devices map
        bool has_changed = false;                 // programs were attached or taken off, or cannot be attached
    };
    // Attaches the programs to the interfaces that have a role now, and detaches them from the others. Tries again
    // where attaching failed before.
    Outcome attach(const net::Links& links, const plan::NodeContext& node);

    // Attaches the socket hooks, once, at the start. Pods and outside clients are served without them, too.
    // is_wanted: datapath.socketHooks; cgroup: datapath.cgroup.
    void attach_sockets(bool is_wanted, const std::string& cgroup);

    std::size_t count() const { return attached_.size(); }
    std::vector<model::Problem> problems(const net::Links& links) const;
    boost::json::array interfaces() const;
    boost::json::value socket_cgroup() const;

private:
    const datapath::Attached* bring_up(const net::Link& link, bool is_uplink, Outcome& outcome);
    void take_off_others(const std::vector<unsigned>& in_use, Outcome& outcome);
    void tell_of_absent(const net::Links& links, Outcome& outcome);

    std::unique_ptr<Hooks> hooks_;
    const net::InterfaceRules& rules_;
    Problems& told_;
    std::map<unsigned, datapath::Attached> attached_;  // by ifindex
    std::map<unsigned, std::string> failures_;
    std::string socket_cgroup_;   // the hooks serve its processes; empty: none
    std::string socket_problem_;  // why the processes are not served, or not fully
};

}  // namespace weir::agent
