// SPDX-License-Identifier: Apache-2.0
// What the agent does with the counts of SNAT ports: SnatWatch says what is news, the maps say who it is about.
#include <spdlog/spdlog.h>

#include <chrono>

#include "loader/agent/agent.hpp"
#include "loader/view/names.hpp"

namespace weir::agent {

void Agent::look_at_snat_ports(const std::vector<view::SnatUse>& uses) {
    auto lines = snat_watch_.look(uses, snat_drops(), std::chrono::steady_clock::now());
    for (const auto& line : lines) {
        auto level = line.level == SnatWatch::Level::error     ? spdlog::level::err
                     : line.level == SnatWatch::Level::warning ? spdlog::level::warn
                                                               : spdlog::level::info;
        spdlog::log(level, "{}", line.text);
    }
    if (!lines.empty()) publish_later();
}

std::uint64_t Agent::snat_drops() const {
    return maps::view<maps::VerdictArray>(programs_.map_fd("verdicts")).total(abi::VERDICT_DROP_NO_SNAT_PORT).packets;
}

// The service ports with backends in use at these endpoints.
SnatWatch::Owners Agent::owners_of(const std::set<view::SnatEndpoint>& endpoints) {
    auto backends = maps::view<maps::BackendMap>(programs_.map_fd("backends"));
    auto services = maps::view<maps::ServiceMap>(programs_.map_fd("services"));
    std::map<view::SnatEndpoint, std::vector<std::string>> names;
    auto error = backends.for_each([&](std::uint32_t, const abi::backend& backend) {
        auto endpoint = view::endpoint_of(backend);
        if (!(backend.flags & abi::BACKEND_IN_USE) || !endpoints.contains(endpoint)) return;
        if (auto name = services.lookup(backend.service_id)) names[endpoint].push_back(view::service_text(*name));
    });
    if (error && logged_.insert("owners " + error.message()).second) spdlog::warn("map backends: {}", error.message());
    SnatWatch::Owners owners;
    for (const auto& [endpoint, list] : names) owners[endpoint] = view::shortened(list);
    return owners;
}

}  // namespace weir::agent
