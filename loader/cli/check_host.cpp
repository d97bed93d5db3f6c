// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/check_host.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "loader/apply/socket_abort.hpp"
#include "loader/datapath/settings.hpp"
#include "loader/net/links.hpp"

namespace weir::cli {

namespace {

std::optional<int> file_number(const std::string& path) {
    int value = 0;
    if (std::ifstream(path) >> value) return value;
    return std::nullopt;
}

std::uint64_t effective_capabilities() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("CapEff:")) continue;
        std::uint64_t set = 0;
        std::istringstream(line.substr(line.find(':') + 1)) >> std::hex >> set;
        return set;
    }
    return 0;
}

int rp_filter(const std::string& interface) {
    auto setting = [](const std::string& name) {
        return file_number("/proc/sys/net/ipv4/conf/" + name + "/rp_filter").value_or(0);
    };
    return std::max(setting("all"), setting(interface));
}

void read_interfaces(const config::Config& config, HostFacts& facts) {
    auto links = net::read_links();
    if (!links) {
        facts.links_error = links.error();
        return;
    }
    for (const auto& [link, role] : net::assign(links->all, links->default_routes, config.interfaces)) {
        if (role == net::Role::workload) facts.workloads.push_back(link.name);
        if (role == net::Role::uplink)
            facts.uplinks.push_back({.name = link.name,
                                     .kind = link.kind,
                                     .xdp = datapath::driver_has_xdp(link.ifindex),
                                     .rp_filter = rp_filter(link.name)});
    }
    facts.refused_uplinks = net::refused_uplinks(links->all, links->default_routes, config.interfaces);
    facts.missing_uplinks = net::missing_uplinks(links->all, config.interfaces);
}

}  // namespace

HostFacts read_host(const config::Config& config) {
    HostFacts facts;
    utsname name{};
    if (::uname(&name) == 0) facts.kernel_release = name.release;
    facts.capabilities = effective_capabilities();
    facts.bpf_error = datapath::try_bpf();
    facts.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    facts.jit = file_number("/proc/sys/net/core/bpf_jit_enable");
    facts.bpffs = datapath::bpffs_state(config.datapath.pins.root);
    facts.cgroup = datapath::open_cgroup(config.datapath.cgroup);
    facts.socket_abort = apply::can_abort_sockets();
    facts.tcx = datapath::kernel_has_tcx();
    facts.forwarding4 = file_number("/proc/sys/net/ipv4/ip_forward");
    facts.forwarding6 = file_number("/proc/sys/net/ipv6/conf/all/forwarding");
    facts.local_ports = net::read_local_ports();
    facts.memory = datapath::machine_memory();
    facts.memory_needed = datapath::memory_of(config.datapath.sizes);
    read_interfaces(config, facts);
    return facts;
}

}  // namespace weir::cli
