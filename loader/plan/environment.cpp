// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace weir::plan {

namespace {

constexpr char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Only letters, digits and '_', and no digit first: what shells take for a variable.
std::string variable_name(std::string_view name) {
    std::string out;
    if (!name.empty() && name.front() >= '0' && name.front() <= '9') out = "_";
    for (char c : name) out += c == '-' || c == '.' ? '_' : upper(c);
    return out;
}

class Environment {
public:
    // Where two Services yield the same name ("a" with a port "b", and "a-service-port-b"), the later one counts.
    void set(const std::string& name, std::string value) {
        auto [place, added] = index_.try_emplace(name, variables_.size());
        if (added)
            variables_.push_back({.name = name, .value = std::move(value)});
        else
            variables_[place->second].value = std::move(value);
    }
    std::vector<Variable> take() { return std::move(variables_); }

private:
    std::vector<Variable> variables_;
    std::unordered_map<std::string, std::size_t> index_;
};

void add_service(const model::Service& service, const model::Address& address, Environment& out) {
    auto name = variable_name(service.name.name);
    out.set(name + "_SERVICE_HOST", address.to_string());
    out.set(name + "_SERVICE_PORT", std::to_string(service.ports.front().port));
    for (const auto& port : service.ports) {
        if (!port.name.empty()) out.set(name + "_SERVICE_PORT_" + variable_name(port.name), std::to_string(port.port));
    }
    // The variables of links between Docker containers. The first port also stands for the link itself.
    for (const auto& port : service.ports) {
        auto protocol = std::string(model::to_string(port.protocol));
        auto scheme = protocol;
        std::ranges::transform(scheme, scheme.begin(), [](char c) { return static_cast<char>(c | 0x20); });
        auto url = fmt::format("{}://{}", scheme, model::to_string(address, port.port));
        auto prefix = fmt::format("{}_PORT_{}_{}", name, port.port, protocol);
        if (&port == &service.ports.front()) out.set(name + "_PORT", url);
        out.set(prefix, url);
        out.set(prefix + "_PROTO", scheme);
        out.set(prefix + "_PORT", std::to_string(port.port));
        out.set(prefix + "_ADDR", address.to_string());
    }
}

}  // namespace

std::vector<Variable> service_environment(std::string_view name_space, const model::Cluster& cluster,
                                          const std::vector<ServicePlan>& plans) {
    const model::ObjectName api_server{.name_space = "default", .name = "kubernetes"};
    std::map<std::string, const ServicePlan*> chosen;
    for (const auto& plan : plans) {
        if (plan.service.name_space == name_space)
            chosen[plan.service.name] = &plan;
        else if (plan.service == api_server)
            chosen.try_emplace(plan.service.name, &plan);
    }
    Environment out;
    for (const auto& [name, plan] : chosen) {
        auto service = cluster.service(plan->service);
        if (!service || service->ports.empty() || service->type == model::ServiceType::external_name) continue;
        // A Service that another proxy serves has its ClusterIP all the same.
        const auto& addresses = plan->state == ServiceState::planned ? plan->cluster_ips : service->cluster_ips;
        if (!addresses.empty()) add_service(*service, addresses.front(), out);
    }
    return out.take();
}

}  // namespace weir::plan
