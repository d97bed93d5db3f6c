// SPDX-License-Identifier: Apache-2.0
// Facts about this kernel and host, read without changing anything. loader/cli/check.cpp judges them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "loader/config/config.hpp"
#include "loader/datapath/bpffs.hpp"
#include "loader/datapath/cgroup.hpp"
#include "loader/datapath/probe.hpp"
#include "loader/net/local_ports.hpp"
#include "loader/net/roles.hpp"

namespace weir::cli {

struct UplinkFacts {
    std::string name;
    std::string kind;
    datapath::Answer xdp = datapath::Answer::unknown;
    int rp_filter = 0;  // what is in force: the greater of the interface's and "all"
};

// An optional is empty if the kernel (or this network namespace) has no such file.
struct HostFacts {
    std::string kernel_release;
    std::uint64_t capabilities = 0;  // effective
    std::error_code bpf_error;
    bool btf = false;
    std::optional<int> jit;
    datapath::BpffsState bpffs = datapath::BpffsState::mounted;
    std::expected<datapath::Cgroup, std::string> cgroup;  // for socket hooks; the error says why there is none
    std::expected<void, std::string> socket_abort;        // of UDP sockets; the error says what is lacking
    datapath::Answer tcx = datapath::Answer::unknown;
    std::optional<int> forwarding4;
    std::optional<int> forwarding6;
    net::LocalPorts local_ports;
    std::uint64_t memory = 0;         // of the machine, bytes
    std::uint64_t memory_needed = 0;  // by the maps when full
    std::string links_error;          // why the interfaces could not be read
    std::vector<UplinkFacts> uplinks;
    std::vector<std::string> workloads;
    std::vector<net::RefusedUplink> refused_uplinks;
    std::vector<std::string> missing_uplinks;
};

HostFacts read_host(const config::Config& config);

}  // namespace weir::cli
