// SPDX-License-Identifier: Apache-2.0
#include "loader/serve/node_health.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cerrno>

namespace weir::serve {

namespace http = boost::beast::http;
using std::chrono::system_clock;

namespace {

// RFC 3339. Empty: never.
std::string text(const std::optional<system_clock::time_point>& time) {
    if (!time) return {};
    auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(*time - seconds).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(seconds)), micros);
}

// A kernel without IPv6 has no [::] to listen at, and nothing is missing there.
bool is_harmless(const model::SocketAddress& at, const boost::system::error_code& error) {
    return at.address.is_unspecified() && error.value() == EAFNOSUPPORT;
}

}  // namespace

NodeHealth::NodeHealth(boost::asio::io_context& io, std::function<NodeState()> state, std::function<void()> on_problems,
                       ServeLimits limits)
    : listeners_(
          io, limits,
          [state = std::move(state)](std::uint16_t, std::string_view path) {
              return answer(path, state(), system_clock::now());
          },
          std::move(on_problems)) {}

void NodeHealth::listen(const std::vector<model::SocketAddress>& addresses) {
    listeners_.keep({addresses.begin(), addresses.end()});
}

Response NodeHealth::answer(std::string_view path, const NodeState& state, system_clock::time_point now) {
    bool is_healthz = path == "/healthz";
    if (!is_healthz && path != "/livez")
        return {.status = http::status::not_found,
                .body = "not found; there are /healthz and /livez\n",
                .content_type = "text/plain; charset=utf-8"};
    bool good = is_healthz ? state.current && !state.to_be_deleted : state.live;
    // Where all is well the time is now, not that of the last change: clients take an old one for a sign of trouble.
    auto updated = good ? std::optional(now) : state.last_written;
    return {.status = good ? http::status::ok : http::status::service_unavailable,
            .body = fmt::format(R"({{"lastUpdated":"{}","currentTime":"{}","nodeEligible":{}}})", text(updated),
                                text(now), !state.to_be_deleted)};
}

std::vector<model::Problem> NodeHealth::problems() const {
    std::vector<model::Problem> problems;
    for (const auto& [at, error] : listeners_.failures()) {
        if (is_harmless(at, error)) continue;
        problems.push_back({.severity = model::Severity::error,
                            .origin = {},
                            .object = "healthzAddress " + at.to_string(),
                            .what = fmt::format("/healthz is not answered: {}; choose another healthzAddress, or "
                                                "\"off\"; tried again every few seconds",
                                                error.message())});
    }
    return problems;
}

}  // namespace weir::serve
