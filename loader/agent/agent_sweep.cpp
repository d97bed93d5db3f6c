// SPDX-License-Identifier: Apache-2.0
// When the agent has the flow tables swept, and what follows from a sweep.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "loader/agent/agent.hpp"

namespace weir::agent {

namespace {

using namespace std::chrono_literals;

// Flows of removed UDP and SCTP backends are swept at once; everything else can wait this long.
constexpr auto sweep_period = 5s;
// But where room in the maps is short, what was removed is to be given out again sooner. A sweep costs milliseconds, in
// which nothing else runs on that CPU: not one for each of many changes.
constexpr auto reuse_delay = 500ms;

bool has_datagrams(const plan::ServicePlan& plan) {
    return std::ranges::any_of(plan.ports, [](const auto& port) { return port.protocol != model::Protocol::tcp; });
}

// Three quarters of a map are taken, by what waits for its grace period too.
bool is_crowded(const plan::Usage& usage, const datapath::MapSizes& sizes) {
    auto crowded = [](std::uint64_t used, std::uint64_t size) { return used * 4 > size * 3; };
    return crowded(usage.services, sizes.services) || crowded(usage.frontends, sizes.frontends) ||
           crowded(usage.backends, sizes.backends) || crowded(usage.slot_lines, sizes.slots / abi::SLOTS_PER_LINE);
}

}  // namespace

void Agent::note_datagrams(const plan::ServicePlan& plan, bool removal) {
    bool had = datagram_services_.contains(plan.service);
    bool has = has_datagrams(plan);
    if (has && !had) datagram_services_.insert(plan.service);
    if (had && !has) datagram_services_.erase(plan.service);
    datagrams_left_ = datagrams_left_ || (removal && (had || has));
}

void Agent::sweep_after(std::chrono::steady_clock::duration delay) {
    sweep_timer_.expires_after(delay);
    sweep_timer_.async_wait([this](auto error) {
        if (error) return;
        sweeper_.request();
        sweep_later();
    });
}

void Agent::sweep_later() {
    sweep_after(sweep_period);
}

void Agent::sweep_after_removal() {
    if (std::exchange(datagrams_left_, false))
        sweeper_.request_after_removal();
    else if (is_crowded(layout_.usage(), programs_.sizes()) &&
             sweep_timer_.expiry() > std::chrono::steady_clock::now() + reuse_delay)
        sweep_after(reuse_delay);
}

void Agent::on_sweep(const std::expected<apply::Sweep, std::string>& result) {
    if (!result)
        spdlog::error("{}", result.error());
    else if (unwritten_.empty())
        layout_.grace_period_passed();
    if (result && result->snat)
        look_at_snat_ports(*result->snat);
    else if (result && logged_.insert("snat " + result->snat.error()).second)
        spdlog::warn("{}: SNAT ports that run out are not told of", result->snat.error());
    // Services that found no room may find it now.
    if (!layout_.waiting().empty()) program();
}

void Agent::on_sockets(const std::expected<std::size_t, std::string>& aborted) {
    if (aborted && *aborted > 0)
        spdlog::info("aborted {} UDP sockets of processes on the node: their backend is gone", *aborted);
    if (aborted || !logged_.insert("sockets " + aborted.error()).second) return;
    spdlog::warn("{}: UDP sockets on the node stay connected to removed backends", aborted.error());
}

}  // namespace weir::agent
