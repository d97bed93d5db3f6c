// SPDX-License-Identifier: Apache-2.0
// `weir env`: the variables about Services that a container of a namespace is started with.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "loader/cli/commands.hpp"
#include "loader/explain/manifest_plan.hpp"
#include "loader/plan/environment.hpp"

namespace weir::cli {

int run_env(const config::Config& config, OutputFormat format, const std::string& name_space) {
    if (config.manifests.empty()) {
        fmt::print(stderr, "weir env: name a file or folder with --manifests, or source.manifests in --config\n");
        return 2;
    }
    auto planned = explain::plan_manifests(config);
    if (!planned) {
        fmt::print(stderr, "weir env: {}\n", planned.error());
        return 1;
    }
    auto variables = plan::service_environment(name_space, planned->cluster, planned->services);
    if (format == OutputFormat::json) {
        boost::json::array list;
        for (const auto& variable : variables) list.push_back({{"name", variable.name}, {"value", variable.value}});
        fmt::print("{}\n", boost::json::serialize(boost::json::object{{"namespace", name_space}, {"env", list}}));
    } else {
        for (const auto& variable : variables) fmt::print("{}={}\n", variable.name, variable.value);
    }
    return explain::print_problems(planned->problems) ? 1 : 0;
}

}  // namespace weir::cli
