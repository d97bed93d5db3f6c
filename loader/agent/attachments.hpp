// SPDX-License-Identifier: Apache-2.0
// Which interfaces have the programs, which should have them and cannot, and the cgroup that has the socket hooks.
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
    // told: what is logged once.
    Attachments(std::unique_ptr<Hooks> hooks, const net::InterfaceRules& rules, Problems& told)
        : hooks_(std::move(hooks)), rules_(rules), told_(told) {}

    struct Outcome {
        std::map<unsigned, abi::device> uplinks;  // by ifindex, as the datapath is to know them
        bool has_changed = false;                 // programs were attached or taken off, or cannot be attached
    };
    // Brings the programs to the interfaces that have a role now, and takes them off the others. What failed before is
    // tried again.
    Outcome attach(const net::Links& links, const plan::NodeContext& node);

    // For once, at the start: without these hooks pods and outside clients are served all the same.
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
    std::string socket_cgroup_;   // whose processes are served; empty: none
    std::string socket_problem_;  // why they are not, or what they lack
};

}  // namespace weir::agent
