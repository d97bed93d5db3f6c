// SPDX-License-Identifier: Apache-2.0
// The programs on interfaces: attached, replaced atomically, detached. Attachments are pinned (links) or live in the
// kernel by themselves (clsact filters), so that the datapath outlives the agent.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "loader/datapath/programs.hpp"
#include "loader/datapath/settings.hpp"

namespace weir::datapath {

enum class Hook { xdp, tc_ingress, tc_egress };

struct Attached {
    unsigned ifindex = 0;
    std::string name;
    bool uplink = false;
    std::string xdp;        // "native", "generic", "" (none)
    std::string tc;         // "tcx", "clsact"
    bool xdp_xmit = false;  // XDP frames may be sent out here
    std::string failure;    // XDP that was asked for and cannot be had; the rest works
    bool operator==(const Attached&) const = default;
};

class Attacher {
public:
    Attacher(const Settings& settings, const Programs& programs);

    // Attaches, or replaces what an earlier agent attached, atomically: at every instant the old or the new program
    // runs. kind: IFLA_INFO_KIND. Adds to notes the wishes that could not be met although the interface works (no
    // native XDP).
    std::expected<Attached, std::string> attach(unsigned ifindex, const std::string& name, const std::string& kind,
                                                bool uplink, std::vector<std::string>& notes);

    // The interface is gone, or has no role any more.
    void detach(unsigned ifindex);

    // Removes pins of interfaces that are not among those in use (an earlier agent's, or gone for good).
    void drop_others(const std::vector<unsigned>& in_use);

private:
    std::expected<std::string, std::string> attach_tc(unsigned ifindex, int ingress_program, int egress_program);
    std::expected<std::string, std::string> attach_xdp(unsigned ifindex, const std::string& kind,
                                                       std::vector<std::string>& notes, const std::string& name);

    const Settings& settings_;
    const Programs& programs_;
    bool tcx_;  // as far as known: cleared when the kernel says that it has none
};

// Removes every attachment made under these pins and every clsact filter of weir, then the pins: what `weir detach`
// does. Answers what was removed, one line each.
std::vector<std::string> detach_everything(const maps::PinPaths& pins);

}  // namespace weir::datapath
