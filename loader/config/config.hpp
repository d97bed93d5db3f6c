// SPDX-License-Identifier: Apache-2.0
// weir.yaml and the flags that override it (docs/reference/config.md).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "loader/datapath/settings.hpp"
#include "loader/model/address.hpp"
#include "loader/model/socket_address.hpp"
#include "loader/net/roles.hpp"

namespace weir::config {

struct Config {
    std::string node;       // default: the host name
    std::string manifests;  // file or folder; empty: not given
    net::InterfaceRules interfaces;
    datapath::Settings datapath;
    bool external_cluster_ip = false;
    std::vector<model::Cidr> service_cidrs;
    std::uint16_t node_port_min = 30000;
    std::uint16_t node_port_max = 32767;
    std::vector<model::Cidr> node_port_addresses;  // empty: primary, the node's InternalIPs
    // healthzAddress: where /healthz and /livez are answered. One ADDRESS:PORT or a list; "off": nowhere. An address of
    // one family serves that family only. Default: kube-proxy's port 10256 at every address of the node.
    std::vector<model::SocketAddress> healthz_addresses;
    std::string log_level = "info";
};

// value: a folder of cgroup v2, "off" (no socket hooks) or empty (the root, wherever it is mounted).
void set_cgroup(Config& config, const std::string& value);

// The defaults of every key: an empty file gives the same.
Config default_config();

// Reads a configuration file. Every problem is an error that names file:line and key: nothing is half taken.
std::expected<Config, std::string> read_config(const std::string& path);
std::expected<Config, std::string> parse_config(const std::string& text, const std::string& path);

}  // namespace weir::config
