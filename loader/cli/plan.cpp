// SPDX-License-Identifier: Apache-2.0
// `weir plan`: what the maps of a node would hold, from manifests alone.
#include "loader/plan/plan.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "loader/agent/problems.hpp"
#include "loader/cli/commands.hpp"
#include "loader/explain/manifest_plan.hpp"
#include "loader/view/names.hpp"

namespace weir::cli {

namespace {

std::vector<std::string> backend_texts(const plan::ServicePortPlan& port, const plan::Scope& scope) {
    std::vector<std::string> out;
    if (scope.action != abi::SCOPE_BALANCE) return out;
    for (const auto& backend : port.sets[scope.set]) out.push_back(model::to_string(backend.address, backend.port));
    return out;
}

std::string scope_text(const plan::ServicePortPlan& port, const plan::Scope& scope) {
    if (scope.action == abi::SCOPE_BALANCE) return view::shortened(backend_texts(port, scope));
    return fmt::format("({})", view::action_name(scope.action));
}

boost::json::object scope_json(const plan::ServicePortPlan& port, const plan::Scope& scope) {
    boost::json::array backends;
    for (const auto& text : backend_texts(port, scope)) backends.emplace_back(text);
    return {{"action", view::action_name(scope.action)}, {"backends", backends}};
}

void print_table(const std::vector<plan::ServicePlan>& plans) {
    Table table({"SERVICE", "KIND", "FRONTEND", "FROM CLUSTER", "FROM OUTSIDE"});
    for (const auto& service : plans) {
        if (service.state != plan::ServiceState::planned)
            table.add(
                {service.service.to_string(), fmt::format("({})", view::state_name(service.state)), "-", "-", "-"});
        for (const auto& port : service.ports) {
            for (const auto& frontend : port.frontends)
                table.add({port.name, std::string(view::kind_name(frontend.kind)),
                           fmt::format("{}/{}", model::to_string(frontend.address, frontend.port),
                                       model::to_string(port.protocol)),
                           scope_text(port, frontend.cluster), scope_text(port, frontend.external)});
        }
    }
    fmt::print("{}", table.to_string());
}

void print_json(const std::vector<plan::ServicePlan>& plans, const std::vector<model::Problem>& problems) {
    boost::json::array services;
    for (const auto& service : plans) {
        boost::json::array frontends;
        for (const auto& port : service.ports) {
            for (const auto& frontend : port.frontends)
                frontends.push_back({{"service", port.name},
                                     {"kind", view::kind_name(frontend.kind)},
                                     {"address", frontend.address.to_string()},
                                     {"port", frontend.port},
                                     {"protocol", model::to_string(port.protocol)},
                                     {"cluster", scope_json(port, frontend.cluster)},
                                     {"external", scope_json(port, frontend.external)}});
        }
        services.push_back({{"name", service.service.to_string()},
                            {"state", view::state_name(service.state)},
                            {"frontends", frontends}});
    }
    fmt::print("{}\n", boost::json::serialize(
                           boost::json::object{{"services", services}, {"problems", agent::to_json(problems)}}));
}

}  // namespace

int run_plan(const config::Config& config, OutputFormat format) {
    if (config.manifests.empty()) {
        fmt::print(stderr, "weir plan: name a file or folder with --manifests\n");
        return 2;
    }
    auto planned = explain::plan_manifests(config);
    if (!planned) {
        fmt::print(stderr, "weir plan: {}\n", planned.error());
        return 1;
    }
    if (format == OutputFormat::json)
        print_json(planned->services, planned->problems);
    else
        print_table(planned->services);

    bool failed = explain::print_problems(planned->problems);
    if (!planned->skipped.empty())
        fmt::print(stderr, "note: kinds that weir does not read: {}\n", fmt::join(planned->skipped, ", "));
    return failed ? 1 : 0;
}

}  // namespace weir::cli
