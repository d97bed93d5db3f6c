// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/main.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <optional>

#include "loader/cli/check.hpp"
#include "loader/cli/commands.hpp"
#include "maps/abi.h"

namespace weir::cli {

namespace {

// Flags as given; they override the configuration file.
struct Flags {
    std::string config;
    std::optional<std::string> manifests, node, pin_path, cgroup, log_level;
    std::vector<std::string> uplinks, workloads;
    std::string output = "table";
    FlowFilter flows;
    std::string name_space = "default";
    ExplainOptions explain;
};

void add_common(CLI::App& command, Flags& flags) {
    command.add_option("--config", flags.config, "configuration file (docs/reference/config.md)")->type_name("FILE");
    command.add_option("--pin-path", flags.pin_path, "folder on a bpffs for maps and links (default /sys/fs/bpf/weir)")
        ->type_name("DIR");
}

void add_output(CLI::App& command, Flags& flags) {
    command.add_option("-o,--output", flags.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

void add_plan_input(CLI::App& command, Flags& flags) {
    command.add_option("--manifests", flags.manifests, "file or folder of Kubernetes objects, YAML or JSON")
        ->type_name("PATH");
    command.add_option("--node", flags.node, "name of this node (default: the host name)")->type_name("NAME");
}

void add_interfaces(CLI::App& command, Flags& flags) {
    command
        .add_option("--uplink", flags.uplinks,
                    "interface towards other nodes and clients; name or glob, may be repeated")
        ->type_name("IF");
    command.add_option("--workload", flags.workloads, "host side of pods' interfaces; name or glob, may be repeated")
        ->type_name("GLOB");
}

void add_cgroup(CLI::App& command, Flags& flags) {
    command
        .add_option("--cgroup", flags.cgroup,
                    "cgroup v2 folder whose processes reach services (default: the root), or off")
        ->type_name("DIR");
}

std::expected<config::Config, std::string> effective(const Flags& flags) {
    auto config = flags.config.empty() ? std::expected<config::Config, std::string>(config::default_config())
                                       : config::read_config(flags.config);
    if (!config) return config;
    if (flags.manifests) config->manifests = *flags.manifests;
    if (flags.node) config->node = *flags.node;
    if (flags.pin_path) config->datapath.pins.root = *flags.pin_path;
    if (flags.cgroup) config::set_cgroup(*config, *flags.cgroup);
    if (flags.log_level) config->log_level = *flags.log_level;
    if (!flags.uplinks.empty()) config->interfaces.uplinks = flags.uplinks;
    if (!flags.workloads.empty()) config->interfaces.workloads = flags.workloads;
    config->datapath.service_ranges = config->service_cidrs;
    config->datapath.sizes = datapath::resolve_sizes(config->datapath.sizes, datapath::machine_memory());
    return config;
}

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app("weir: Kubernetes Services in the kernel, by XDP and tc programs");
    app.name("weir");
    app.require_subcommand(1);
    Flags flags;
    std::function<int(const config::Config&, OutputFormat)> chosen;

    auto* run = app.add_subcommand("run", "serve: load the programs, fill the maps, follow changes");
    add_common(*run, flags);
    add_plan_input(*run, flags);
    add_interfaces(*run, flags);
    add_cgroup(*run, flags);
    run->add_option("--log-level", flags.log_level, "trace, debug, info, warning, error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}));
    run->callback([&] { chosen = [](const config::Config& config, OutputFormat) { return run_agent(config); }; });

    auto* check = app.add_subcommand("check", "what this kernel and host offer and lack");
    add_common(*check, flags);
    add_output(*check, flags);
    add_interfaces(*check, flags);
    add_cgroup(*check, flags);
    check->callback([&] { chosen = run_check; });

    auto* plan = app.add_subcommand("plan", "what a node's maps would hold; touches no kernel");
    add_common(*plan, flags);
    add_output(*plan, flags);
    add_plan_input(*plan, flags);
    plan->callback([&] { chosen = run_plan; });

    auto* env =
        app.add_subcommand("env", "the variables about Services that containers are started with; touches no kernel");
    add_common(*env, flags);
    add_output(*env, flags);
    add_plan_input(*env, flags);
    env->add_option("-n,--namespace", flags.name_space, "of the container's pod (default: default)")->type_name("NS");
    env->callback([&] {
        chosen = [&](const config::Config& config, OutputFormat format) {
            return run_env(config, format, flags.name_space);
        };
    });

    auto* status = app.add_subcommand("status", "the agent, the maps, the verdicts, what is wrong");
    add_common(*status, flags);
    add_output(*status, flags);
    status->callback([&] { chosen = run_status; });

    auto* services = app.add_subcommand("services", "frontends and the backends behind them, as the kernel has them");
    add_common(*services, flags);
    add_output(*services, flags);
    services->callback([&] { chosen = run_services; });

    auto* backends = app.add_subcommand("backends", "backends by id, as the kernel has them");
    add_common(*backends, flags);
    add_output(*backends, flags);
    backends->callback([&] { chosen = run_backends; });

    auto* flows = app.add_subcommand("flows", "translated connections");
    add_common(*flows, flags);
    add_output(*flows, flags);
    flows->add_option("--service", flags.flows.service,
                      "only of this service (namespace/name) or service port (namespace/name:port)");
    flows->add_flag("--all", flags.flows.all, "also flows that have been seen in one direction only");
    flows->add_option("--limit", flags.flows.limit, "how many to show");
    flows->callback([&] {
        chosen = [&](const config::Config& config, OutputFormat format) {
            return run_flows(config, format, flags.flows);
        };
    });

    auto* explain = app.add_subcommand("explain", "what becomes of a new connection, and why; changes nothing");
    add_common(*explain, flags);
    add_output(*explain, flags);
    add_plan_input(*explain, flags);
    explain->add_option("source", flags.explain.source, "the client, SRC[:PORT]")->type_name("SRC[:PORT]")->required();
    explain->add_option("destination", flags.explain.destination, "what it connects to; IPv6 as [addr]:port")
        ->type_name("DST:PORT[/tcp|udp|sctp]")
        ->required();
    explain->add_option("--via", flags.explain.via, "where the packet comes from (default: told from the source)")
        ->check(CLI::IsMember({"uplink", "workload", "host"}));
    explain->callback([&] {
        flags.explain.offline = flags.manifests.has_value();
        chosen = [&](const config::Config& config, OutputFormat format) {
            return run_explain(config, format, flags.explain);
        };
    });

    auto* detach = app.add_subcommand("detach", "take weir off every interface and remove its maps");
    add_common(*detach, flags);
    detach->callback([&] { chosen = [](const config::Config& config, OutputFormat) { return run_detach(config); }; });

    auto* version = app.add_subcommand("version", "version of weir and of its map layout");
    add_common(*version, flags);
    add_output(*version, flags);
    version->callback([&] {
        chosen = [](const config::Config&, OutputFormat format) {
            if (format == OutputFormat::json)
                fmt::print("{{\"version\":\"{}\",\"abi\":{}}}\n", WEIR_VERSION, int{abi::WEIR_ABI_VERSION});
            else
                fmt::print("weir {} (map ABI {})\n", WEIR_VERSION, int{abi::WEIR_ABI_VERSION});
            return 0;
        };
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    auto config = effective(flags);
    if (!config) {
        fmt::print(stderr, "weir: {}\n", config.error());
        return 1;
    }
    return chosen(*config, flags.output == "json" ? OutputFormat::json : OutputFormat::table);
}

}  // namespace weir::cli
