// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/sweep_loop.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "loader/view/names.hpp"

namespace weir::agent {

using Clock = SweepSchedule::Clock;

SweepLoop::SweepLoop(boost::asio::io_context& io, const datapath::Programs& programs, const view::SnatRange& snat_ports,
                     Problems& told, Callbacks callbacks)
    : programs_(programs),
      told_(told),
      callbacks_(std::move(callbacks)),
      snat_watch_(snat_ports, snat_drops(), [this](const auto& endpoints) { return owners_of(endpoints); }),
      timer_(io),
      sweeper_(
          io, programs, snat_ports, [this](const auto& result) { on_sweep(result); },
          [this](const auto& aborted) { on_sockets(aborted); }) {}

void SweepLoop::begin() {
    schedule_.begin(Clock::now());
    wait();
}

void SweepLoop::removed(Removal what, bool is_crowded) {
    auto next = schedule_.next();
    if (schedule_.removed(what, is_crowded, Clock::now())) sweeper_.request_after_removal();
    if (schedule_.next() != next) wait();
}

void SweepLoop::wait() {
    timer_.expires_at(schedule_.next());
    timer_.async_wait([this](auto error) {
        if (error) return;
        if (schedule_.due(Clock::now())) sweeper_.request();
        wait();
    });
}

void SweepLoop::on_sweep(const std::expected<apply::Sweep, std::string>& result) {
    if (!result)
        spdlog::error("{}", result.error());
    else if (result->snat)
        look_at_snat_ports(*result->snat);
    else if (told_.is_news("snat " + result->snat.error()))
        spdlog::warn("{}: SNAT ports that run out are not told of", result->snat.error());
    callbacks_.on_sweep(result.has_value());
}

void SweepLoop::on_sockets(const std::expected<std::size_t, std::string>& aborted) {
    if (aborted && *aborted > 0)
        spdlog::info("aborted {} UDP sockets of processes on the node: their backend is gone", *aborted);
    if (aborted || !told_.is_news("sockets " + aborted.error())) return;
    spdlog::warn("{}: UDP sockets on the node stay connected to removed backends", aborted.error());
}

// Logs what SnatWatch finds new; the names of the Services concerned come from the maps.
void SweepLoop::look_at_snat_ports(const std::vector<view::SnatUse>& uses) {
    auto lines = snat_watch_.look(uses, snat_drops(), Clock::now());
    for (const auto& line : lines) {
        auto level = line.level == SnatWatch::Level::error     ? spdlog::level::err
                     : line.level == SnatWatch::Level::warning ? spdlog::level::warn
                                                               : spdlog::level::info;
        spdlog::log(level, "{}", line.text);
    }
    if (!lines.empty()) callbacks_.on_news();
}

std::uint64_t SweepLoop::snat_drops() const {
    return maps::view<maps::VerdictArray>(programs_.map_fd("verdicts")).total(abi::VERDICT_DROP_NO_SNAT_PORT).packets;
}

// Returns the service ports with backends in use at these endpoints.
SnatWatch::Owners SweepLoop::owners_of(const std::set<view::SnatEndpoint>& endpoints) {
    auto backends = maps::view<maps::BackendMap>(programs_.map_fd("backends"));
    auto services = maps::view<maps::ServiceMap>(programs_.map_fd("services"));
    std::map<view::SnatEndpoint, std::vector<std::string>> names;
    auto error = backends.for_each([&](std::uint32_t, const abi::backend& backend) {
        auto endpoint = view::endpoint_of(backend);
        if (!(backend.flags & abi::BACKEND_IN_USE) || !endpoints.contains(endpoint)) return;
        if (auto name = services.lookup(backend.service_id)) names[endpoint].push_back(view::service_text(*name));
    });
    if (error && told_.is_news("owners " + error.message())) spdlog::warn("map backends: {}", error.message());
    SnatWatch::Owners owners;
    for (const auto& [endpoint, list] : names) owners[endpoint] = view::shortened(list);
    return owners;
}

}  // namespace weir::agent
