// SPDX-License-Identifier: Apache-2.0
#include "loader/serve/health_servers.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <set>

namespace weir::serve {

namespace http = boost::beast::http;

namespace {

std::string_view remedy(const boost::system::error_code& error) {
    switch (error.value()) {
        case EADDRINUSE:
            return "stop the program that has the port, or choose another healthCheckNodePort";
        case EADDRNOTAVAIL:
            return "give the address to an interface of this node, or correct the addresses of its Node object";
        case EACCES:
            return "run weir as root, or choose a port above 1023";
        case EMFILE:
        case ENFILE:
            return "raise the limit of open files (LimitNOFILE of the systemd unit)";
        default:
            return "choose another healthCheckNodePort";
    }
}

model::Problem problem_of(const model::ObjectName& service, const HealthCheck& check, std::string what) {
    return {.severity = model::Severity::error,
            .origin = check.origin,
            .object = "Service " + service.to_string(),
            .what = std::move(what)};
}

}  // namespace

HealthServers::HealthServers(boost::asio::io_context& io, std::function<bool()> is_proxy_healthy,
                             std::function<void()> on_problems, ServeLimits limits)
    : is_proxy_healthy_(std::move(is_proxy_healthy)),
      listeners_(
          io, limits, [this](std::uint16_t port, std::string_view) { return answer(port); }, std::move(on_problems)) {}

void HealthServers::set_addresses(std::vector<model::Address> addresses) {
    changed_ = changed_ || addresses != addresses_;
    addresses_ = std::move(addresses);
}

void HealthServers::set(const model::ObjectName& service, HealthCheck check) {
    auto& known = checks_[service];
    changed_ = changed_ || check.port != known.port;
    known = std::move(check);
}

void HealthServers::remove(const model::ObjectName& service) {
    if (checks_.erase(service) > 0) changed_ = true;
}

bool HealthServers::sync() {
    if (!changed_ && listeners_.failures().empty()) return false;
    changed_ = false;
    service_of_port_.clear();
    std::set<model::SocketAddress> wanted;
    for (const auto& [service, check] : checks_) {
        if (!service_of_port_.try_emplace(check.port, service).second) continue;
        for (const auto& address : addresses_) wanted.insert({.address = address, .port = check.port});
    }
    listeners_.keep(std::move(wanted));
    return true;
}

// Any path is answered, as kube-proxy does.
Response HealthServers::answer(std::uint16_t port) const {
    auto service = service_of_port_.find(port);
    auto found = service == service_of_port_.end() ? checks_.end() : checks_.find(service->second);
    if (found == checks_.end()) return {.status = http::status::service_unavailable, .body = "{}"};
    const auto& [name, check] = *found;
    bool healthy = is_proxy_healthy_();
    bool usable = healthy && check.local_endpoints > 0;
    // Names of Kubernetes objects need no escapes.
    return {.status = usable ? http::status::ok : http::status::service_unavailable,
            .body = fmt::format(R"({{"service":{{"namespace":"{}","name":"{}"}},"localEndpoints":{},)"
                                R"("serviceProxyHealthy":{}}})",
                                name.name_space, name.name, check.local_endpoints, healthy),
            .headers = {{"X-Load-Balancing-Endpoint-Weight", std::to_string(check.local_endpoints)}}};
}

std::vector<model::Problem> HealthServers::problems() const {
    std::vector<model::Problem> problems;
    for (const auto& [service, check] : checks_) {
        auto holder = service_of_port_.find(check.port);
        if (holder == service_of_port_.end() || holder->second == service) continue;
        problems.push_back(problem_of(service, check,
                                      fmt::format("healthCheckNodePort {} belongs to Service {}; choose another",
                                                  check.port, holder->second.to_string())));
    }
    add_failures(problems);
    return problems;
}

void HealthServers::add_failures(std::vector<model::Problem>& problems) const {
    for (const auto& [at, error] : listeners_.failures()) {
        auto service = service_of_port_.find(at.port);
        auto check = service == service_of_port_.end() ? checks_.end() : checks_.find(service->second);
        if (check == checks_.end()) continue;
        problems.push_back(problem_of(
            check->first, check->second,
            fmt::format("healthCheckNodePort {} is not answered at {}: {}; {}; tried again every few seconds", at.port,
                        at.address.to_string(), error.message(), remedy(error))));
    }
}

}  // namespace weir::serve
