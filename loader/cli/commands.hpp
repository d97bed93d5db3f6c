// SPDX-License-Identifier: Apache-2.0
// The subcommands; each has a file of its own. They print to stdout, problems to stderr, and return the exit code.
#pragma once

#include <string>

#include "loader/cli/table.hpp"
#include "loader/config/config.hpp"

namespace weir::cli {

int run_agent(const config::Config& config);
int run_plan(const config::Config& config, OutputFormat format);
// name_space: the pod's.
int run_env(const config::Config& config, OutputFormat format, const std::string& name_space);
int run_status(const config::Config& config, OutputFormat format);
int run_services(const config::Config& config, OutputFormat format);
int run_backends(const config::Config& config, OutputFormat format);

struct FlowFilter {
    std::string service;  // "namespace/name" or "namespace/name:port"; empty: all
    bool all = false;     // unassured ones too
    std::size_t limit = 1000;
};
int run_flows(const config::Config& config, OutputFormat format, const FlowFilter& filter);

struct ExplainOptions {
    std::string source;       // SRC[:PORT]
    std::string destination;  // DST:PORT[/protocol]
    std::string via;          // uplink, workload, host; empty: told from the source
    bool offline = false;     // from manifests, not from the node's maps
};
int run_explain(const config::Config& config, OutputFormat format, const ExplainOptions& options);
int run_detach(const config::Config& config);

}  // namespace weir::cli
