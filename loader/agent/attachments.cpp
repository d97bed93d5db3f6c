// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/attachments.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace weir::agent {

namespace {

// Returns the entry that the devices map gets for an uplink.
abi::device device_of(const net::Link& link, const datapath::Attached& attached, const plan::NodeContext& node) {
    abi::device device{};
    device.flags = abi::DEVICE_UPLINK;
    if (attached.xdp_xmit) device.flags |= abi::DEVICE_XDP_XMIT;
    net::set_source_addresses(device, link, node.addresses);
    return device;
}

}  // namespace

Attachments::Outcome Attachments::attach(const net::Links& links, const plan::NodeContext& node) {
    Outcome outcome;
    std::vector<unsigned> in_use;
    for (const auto& [link, role] : net::assign(links.all, links.default_routes, rules_)) {
        if (role == net::Role::none) continue;
        bool is_uplink = role == net::Role::uplink;
        in_use.push_back(link.ifindex);
        const auto* attached = bring_up(link, is_uplink, outcome);
        if (attached && is_uplink) outcome.uplinks[link.ifindex] = device_of(link, *attached, node);
    }
    take_off_others(in_use, outcome);
    tell_of_absent(links, outcome);
    return outcome;
}

// Returns nullptr if the programs cannot be attached to this interface in this role.
const datapath::Attached* Attachments::bring_up(const net::Link& link, bool is_uplink, Outcome& outcome) {
    auto known = attached_.find(link.ifindex);
    if (known != attached_.end() && known->second.uplink == is_uplink) return &known->second;
    outcome.has_changed = true;
    std::vector<std::string> notes;
    auto attached = hooks_->attach(link, is_uplink, notes);
    for (const auto& note : notes) spdlog::warn("{}", note);
    if (!attached) {
        if (failures_[link.ifindex] != attached.error()) spdlog::error("{}", attached.error());
        failures_[link.ifindex] = attached.error();
        return nullptr;
    }
    failures_.erase(link.ifindex);
    if (!attached->failure.empty()) {
        spdlog::error("{}", attached->failure);
        failures_[link.ifindex] = attached->failure;
    }
    spdlog::info("{}: {}, {}{}{}", link.name, is_uplink ? "uplink" : "workload", attached->tc,
                 attached->xdp.empty() ? "" : ", XDP ", attached->xdp);
    return &attached_.insert_or_assign(link.ifindex, *attached).first->second;
}

void Attachments::take_off_others(const std::vector<unsigned>& in_use, Outcome& outcome) {
    auto is_other = [&](const auto& entry) { return std::ranges::find(in_use, entry.first) == in_use.end(); };
    for (auto it = attached_.begin(); it != attached_.end();) {
        if (!is_other(*it)) {
            ++it;
            continue;
        }
        spdlog::info("{}: gone", it->second.name);
        hooks_->detach(it->first);
        it = attached_.erase(it);
        outcome.has_changed = true;
    }
    std::erase_if(failures_, is_other);
    hooks_->drop_others(in_use);
}

void Attachments::tell_of_absent(const net::Links& links, Outcome& outcome) {
    for (const auto& refused : net::refused_uplinks(links.all, links.default_routes, rules_)) {
        if (!told_.is_news("refused " + refused.name)) continue;
        spdlog::warn("{} is left out: {}", refused.name, refused.reason);
        outcome.has_changed = true;
    }
    for (const auto& name : net::missing_uplinks(links.all, rules_)) {
        if (told_.is_news("missing " + name))
            spdlog::warn("{}: no such interface; it is attached when it appears (interfaces.uplinks, --uplink)", name);
    }
}

void Attachments::attach_sockets(bool is_wanted, const std::string& cgroup) {
    if (!is_wanted) {
        hooks_->remove_sockets();
        return;
    }
    if (auto attached = hooks_->attach_sockets()) {
        socket_cgroup_ = attached->path;
        spdlog::info("{}: socket hooks", attached->path);
        if (!attached->root && cgroup.empty())
            socket_problem_ = fmt::format(
                "{} is not the root cgroup: only processes in it and below reach services; mount the host's and name "
                "it (--cgroup)",
                attached->path);
    } else {
        socket_problem_ = fmt::format("processes on the node reach no services: {}", attached.error());
    }
    if (!socket_problem_.empty()) spdlog::warn("{}", socket_problem_);
}

std::vector<model::Problem> Attachments::problems(const net::Links& links) const {
    using model::Severity;
    std::vector<model::Problem> problems;
    for (const auto& [ifindex, failure] : failures_) problems.push_back(problem(Severity::error, failure));
    for (const auto& refused : net::refused_uplinks(links.all, links.default_routes, rules_))
        problems.push_back(problem(Severity::warning, refused.name + " is left out: " + refused.reason));
    if (!socket_problem_.empty()) problems.push_back(problem(Severity::warning, socket_problem_));
    for (const auto& name : net::missing_uplinks(links.all, rules_))
        problems.push_back(problem(Severity::warning, name + ": no such interface; it is attached when it appears"));
    return problems;
}

boost::json::array Attachments::interfaces() const {
    boost::json::array interfaces;
    for (const auto& [ifindex, attached] : attached_)
        interfaces.push_back({{"name", attached.name},
                              {"role", attached.uplink ? "uplink" : "workload"},
                              {"tc", attached.tc},
                              {"xdp", attached.xdp.empty() ? "off" : attached.xdp}});
    return interfaces;
}

boost::json::value Attachments::socket_cgroup() const {
    return socket_cgroup_.empty() ? boost::json::value(nullptr) : boost::json::value(socket_cgroup_);
}

}  // namespace weir::agent
