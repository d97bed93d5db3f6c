// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/snat_watch.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>

#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"

namespace weir::agent {

namespace {

// How many of the pools that pass a mark at once are named; the log only counts the others.
constexpr std::size_t named = 5;

constexpr const char* remedy =
    "widen datapath.snatPorts and restart the agent, or give the service more backends: each backend has the range for "
    "itself";

}  // namespace

std::string SnatWatch::describe(const view::SnatUse& use, const Owners& owners) const {
    const auto& endpoint = use.pool.endpoint;
    auto owner = owners.find(endpoint);
    return fmt::format("{}/{} ({}), {} of {} ports of {}",
                       model::to_string(model::address_of(endpoint.address), ntohs(endpoint.port_be)),
                       view::protocol_name(endpoint.protocol), owner == owners.end() ? "gone" : owner->second, use.kept,
                       range_.size(), model::address_of(use.pool.source).to_string());
}

std::vector<SnatWatch::Line> SnatWatch::look(const std::vector<view::SnatUse>& uses, std::uint64_t drops, Time now) {
    std::vector<Line> lines;
    look_at_use(uses, now, lines);
    look_at_recovery(now, lines);
    look_at_drops(uses, drops, now, lines);
    return lines;
}

void SnatWatch::look_at_use(const std::vector<view::SnatUse>& uses, Time now, std::vector<Line>& lines) {
    std::vector<const view::SnatUse*> high;
    std::set<view::SnatEndpoint> endpoints;
    for (const auto& use : uses) {
        if (use.kept < range_.share(view::snat_low_percent)) break;
        if (auto episode = episodes_.find(use.pool); episode != episodes_.end()) {
            episode->second.last_scarce = now;
            continue;
        }
        if (use.kept < range_.share(view::snat_high_percent)) continue;
        high.push_back(&use);
        endpoints.insert(use.pool.endpoint);
    }
    if (high.empty()) return;
    auto owners = owners_(endpoints);
    std::size_t begun = 0;
    for (const auto* use : high) {
        // No client is turned away: the endpoint gets no new connections.
        if (!owners.contains(use->pool.endpoint)) continue;
        auto text = describe(*use, owners);
        episodes_[use->pool] = {text, now};
        if (begun++ < named)
            lines.push_back({Level::warning, fmt::format("SNAT ports run out for {}; {}", text, remedy)});
    }
    if (begun > named)
        lines.push_back(
            {Level::warning, fmt::format("SNAT ports run out for {} more backends (weir backends)", begun - named)});
}

void SnatWatch::look_at_recovery(Time now, std::vector<Line>& lines) {
    std::size_t over = 0;
    for (auto it = episodes_.begin(); it != episodes_.end();) {
        if (now - it->second.last_scarce < calm) {
            ++it;
            continue;
        }
        if (over++ < named)
            lines.push_back({Level::info, fmt::format("SNAT ports are free again: {}, now less than {} %",
                                                      it->second.text, view::snat_low_percent)});
        it = episodes_.erase(it);
    }
    if (over > named)
        lines.push_back({Level::info, fmt::format("SNAT ports are free again for {} more backends", over - named)});
}

void SnatWatch::look_at_drops(const std::vector<view::SnatUse>& uses, std::uint64_t drops, Time now,
                              std::vector<Line>& lines) {
    auto before = drops_;
    drops_ = drops;
    if (drops > before) {
        last_drop_ = now;
        if (dropping_) return;
        dropping_ = true;
        drops_before_ = before;
        auto most = uses.empty() ? std::string("no backend has many in use now")
                                 : "most used: " + describe(uses.front(), owners_({uses.front().pool.endpoint}));
        lines.push_back({Level::error, fmt::format("new connections are dropped: no free SNAT port "
                                                   "(drop_no_snat_port, {} packets); {}; {}",
                                                   drops - before, most, remedy)});
        return;
    }
    if (!dropping_ || now - last_drop_ < (episodes_.empty() ? Time::duration(calm) : Time::duration(scarce_calm)))
        return;
    dropping_ = false;
    lines.push_back({Level::info, fmt::format("new connections find SNAT ports again; {} packets were dropped",
                                              drops - drops_before_)});
}

std::vector<model::Problem> SnatWatch::problems() const {
    std::vector<model::Problem> problems;
    auto add = [&](model::Severity severity, std::string text) {
        model::Problem problem{};
        problem.severity = severity;
        problem.what = std::move(text);
        problems.push_back(std::move(problem));
    };
    if (dropping_)
        add(model::Severity::error, fmt::format("new connections are dropped: no free SNAT port; {}", remedy));
    for (const auto& [pool, episode] : episodes_) {
        if (problems.size() > named) break;
        add(model::Severity::warning, fmt::format("SNAT ports run out for {}", episode.text));
    }
    return problems;
}

}  // namespace weir::agent
