// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

namespace weir::cli {

namespace {

using State = Finding::State;

std::string_view state_name(State state) {
    switch (state) {
        case State::ok:
            return "ok";
        case State::note:
            return "note";
        case State::missing:
            return "missing";
    }
    return "";
}

// The oldest kernel that weir is tested on: Debian 12's.
constexpr std::pair minimum_kernel{6, 1};

Finding judge_kernel(const std::string& release) {
    std::pair version{0, 0};
    std::sscanf(release.c_str(), "%d.%d", &version.first, &version.second);
    if (version >= minimum_kernel) return {"kernel", State::ok, "Linux " + release, ""};
    return {"kernel", State::missing, fmt::format("Linux {} is too old", release),
            fmt::format("run Linux {}.{} or later", minimum_kernel.first, minimum_kernel.second)};
}

// Mounting a bpffs takes CAP_SYS_ADMIN, too: judge_bpffs.
Finding judge_rights(const HostFacts& facts) {
    auto has = [&](unsigned capability) { return (facts.capabilities >> capability & 1) != 0; };
    // CAP_SYS_ADMIN is older than these two and includes them.
    std::vector<std::string_view> lacking;
    if (!has(CAP_BPF) && !has(CAP_SYS_ADMIN)) lacking.push_back("CAP_BPF");
    if (!has(CAP_PERFMON) && !has(CAP_SYS_ADMIN)) lacking.push_back("CAP_PERFMON");
    if (!has(CAP_NET_ADMIN)) lacking.push_back("CAP_NET_ADMIN");
    if (!lacking.empty())
        return {"rights", State::missing, fmt::format("this process lacks {}", fmt::join(lacking, ", ")),
                "run as root, or grant these capabilities"};
    return {"rights", State::ok, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", ""};
}

Finding judge_bpf(std::error_code error) {
    if (!error) return {"bpf", State::ok, "the bpf system call works", ""};
    auto detail = fmt::format("the bpf system call fails: {}", error.message());
    if (error == std::errc::function_not_supported)
        return {"bpf", State::missing, detail, "run a kernel with CONFIG_BPF_SYSCALL"};
    if (error == std::errc::operation_not_permitted)
        return {"bpf", State::missing, detail,
                "grant the rights above; with them, a seccomp filter or kernel lockdown forbids it: lift that"};
    return {"bpf", State::missing, detail, "see the kernel's log"};
}

Finding judge_jit(std::optional<int> jit) {
    if (!jit)
        return {"jit", State::note, "unknown: this network namespace does not show net.core.bpf_jit_enable",
                "look on the host: it should be 1"};
    if (*jit == 1) return {"jit", State::ok, "BPF programs run as machine code", ""};
    if (*jit == 0)
        return {"jit", State::note, "BPF programs are interpreted: every packet takes several times as long",
                "sysctl -w net.core.bpf_jit_enable=1"};
    return {"jit", State::note, "the JIT compiler is in debug mode and logs every program",
            "sysctl -w net.core.bpf_jit_enable=1"};
}

Finding judge_bpffs(const HostFacts& facts, const std::string& pin_path) {
    using datapath::BpffsState;
    if (facts.bpffs == BpffsState::mounted) return {"bpffs", State::ok, fmt::format("{} is on a bpffs", pin_path), ""};
    std::string remedy(datapath::bpffs_remedy(facts.bpffs));
    if (facts.bpffs == BpffsState::elsewhere)
        return {"bpffs", State::missing, fmt::format("{} is not on a bpffs", pin_path), remedy};
    if (facts.capabilities >> CAP_SYS_ADMIN & 1)
        return {"bpffs", State::note, "no bpffs is mounted at /sys/fs/bpf", "nothing: `weir run` mounts it"};
    return {"bpffs", State::missing,
            "no bpffs is mounted at /sys/fs/bpf and this process lacks CAP_SYS_ADMIN to mount it", remedy};
}

void judge_sockets(const HostFacts& facts, const datapath::Settings& settings, std::vector<Finding>& findings) {
    if (!settings.socket_hooks) {
        findings.push_back({"cgroup", State::ok, "no socket hooks, as configured (cgroup)", ""});
        return;
    }
    if (!facts.cgroup) {
        findings.push_back({"cgroup", State::note, "processes on the node reach no services", facts.cgroup.error()});
        return;
    }
    if (facts.cgroup->root)
        findings.push_back({"cgroup", State::ok,
                            fmt::format("cgroup v2 at {}: every process on the node is served", facts.cgroup->path),
                            ""});
    else
        findings.push_back(
            {"cgroup", State::note,
             fmt::format("{} is not the root cgroup: only processes in it and below reach services",
                         facts.cgroup->path),
             "nothing if that is meant; in a container, mount the host's /sys/fs/cgroup and name it (--cgroup)"});
    if (facts.socket_abort)
        findings.push_back({"socket-abort", State::ok, "UDP sockets connected to removed backends can be aborted", ""});
    else
        findings.push_back(
            {"socket-abort", State::note,
             fmt::format("UDP sockets on the node stay connected to removed backends: {}", facts.socket_abort.error()),
             "run as root, on a kernel that has it; or have clients reconnect"});
}

Finding judge_tcx(datapath::Answer tcx, datapath::TcMode mode) {
    if (mode == datapath::TcMode::clsact) return {"tcx", State::ok, "clsact filters, as configured (datapath.tc)", ""};
    if (tcx == datapath::Answer::yes) return {"tcx", State::ok, "programs are attached by tcx links", ""};
    if (tcx == datapath::Answer::unknown)
        return {"tcx", State::note, "unknown without the right to load programs", "run `weir check` as root"};
    if (mode == datapath::TcMode::tcx)
        return {"tcx", State::missing, "this kernel has no tcx links (Linux >= 6.6)", "set datapath.tc: auto"};
    return {"tcx", State::ok, "this kernel has no tcx links: clsact filters serve instead", ""};
}

void judge_interfaces(const HostFacts& facts, std::vector<Finding>& findings) {
    auto add = [&](std::string name, State state, std::string detail, std::string remedy) {
        findings.push_back({std::move(name), state, std::move(detail), std::move(remedy)});
    };
    if (!facts.links_error.empty()) {
        add("uplinks", State::missing, facts.links_error, "run `weir check` where netlink sockets are allowed");
        return;
    }
    std::vector<std::string_view> names;
    for (const auto& uplink : facts.uplinks) names.push_back(uplink.name);
    if (!names.empty()) add("uplinks", State::ok, fmt::format("{}", fmt::join(names, ", ")), "");
    for (const auto& refused : facts.refused_uplinks)
        add("uplinks", State::note, fmt::format("{} is left out: {}", refused.name, refused.reason), "");
    for (const auto& name : facts.missing_uplinks)
        add("uplinks", State::note, fmt::format("{} does not exist", name),
            "nothing if it is yet to come; else name another (interfaces.uplinks, --uplink)");
    if (names.empty())
        add("uplinks", State::note, "no interface leads to other nodes: only pods of this node are served",
            "name one (interfaces.uplinks, --uplink)");
    add("workloads", State::ok, fmt::format("{} interfaces at present", facts.workloads.size()), "");
}

void judge_uplink(const UplinkFacts& uplink, datapath::XdpMode mode, std::vector<Finding>& findings) {
    using datapath::Answer;
    using datapath::XdpMode;
    if (mode == XdpMode::automatic && uplink.kind == "veth")
        findings.push_back({"xdp", State::ok, fmt::format("{}: through tc, being a veth", uplink.name), ""});
    else if ((mode == XdpMode::automatic || mode == XdpMode::native) && uplink.xdp == Answer::yes)
        findings.push_back({"xdp", State::ok, fmt::format("{}: the driver runs XDP natively", uplink.name), ""});
    else if (mode == XdpMode::automatic && uplink.xdp == Answer::no)
        findings.push_back(
            {"xdp", State::ok, fmt::format("{}: through tc, its driver has no native XDP", uplink.name), ""});
    else if (mode == XdpMode::native && uplink.xdp == Answer::no)
        findings.push_back({"xdp", State::note, fmt::format("{}: its driver has no native XDP", uplink.name),
                            "set datapath.xdp: auto, which works through tc there"});
    if (uplink.rp_filter == 1)
        findings.push_back(
            {"rp-filter", State::note,
             fmt::format("{}: strict reverse-path filter: packets of clients whose way back leads through "
                         "another interface are dropped after weir passed them",
                         uplink.name),
             fmt::format("where ways differ: sysctl -w net.ipv4.conf.all.rp_filter=2 (or 0 for all and {})",
                         uplink.name)});
}

Finding judge_forwarding(std::string name, std::optional<int> on, const std::string& family, const std::string& key) {
    if (!on)
        return {std::move(name), State::note, fmt::format("this kernel has no {}", family),
                "nothing, if no service uses it"};
    if (*on) return {std::move(name), State::ok, fmt::format("{} packets are forwarded", family), ""};
    return {std::move(name), State::note, fmt::format("{} packets are not forwarded, so none reach pods", family),
            fmt::format("sysctl -w {}=1", key)};
}

Finding judge_snat_ports(const HostFacts& facts, const datapath::Settings& settings) {
    auto advice = net::judge_snat_ports(settings.snat_ports, facts.local_ports);
    return {"snat-ports", advice.safe ? State::ok : State::note, advice.detail, advice.remedy};
}

Finding judge_memory(const HostFacts& facts) {
    auto detail = fmt::format("maps take up to {} of {}", human_bytes(facts.memory_needed), human_bytes(facts.memory));
    if (facts.memory_needed <= facts.memory / 4) return {"memory", State::ok, detail, ""};
    auto state = facts.memory_needed < facts.memory ? State::note : State::missing;
    return {"memory", state, detail, "lower datapath.flowTable or datapath.maps"};
}

}  // namespace

std::vector<Finding> judge(const HostFacts& facts, const config::Config& config) {
    std::vector<Finding> findings{judge_kernel(facts.kernel_release), judge_rights(facts), judge_bpf(facts.bpf_error)};
    if (facts.btf)
        findings.push_back({"btf", State::ok, "the kernel describes its types", ""});
    else
        findings.push_back({"btf", State::note, "no /sys/kernel/btf/vmlinux: weir does without, bpftool shows less",
                            "nothing, or run a kernel with CONFIG_DEBUG_INFO_BTF"});
    findings.push_back(judge_jit(facts.jit));
    findings.push_back(judge_bpffs(facts, config.datapath.pins.root));
    judge_sockets(facts, config.datapath, findings);
    findings.push_back(judge_tcx(facts.tcx, config.datapath.tc));
    judge_interfaces(facts, findings);
    for (const auto& uplink : facts.uplinks) judge_uplink(uplink, config.datapath.xdp, findings);
    findings.push_back(judge_forwarding("forwarding-ipv4", facts.forwarding4, "IPv4", "net.ipv4.ip_forward"));
    findings.push_back(judge_forwarding("forwarding-ipv6", facts.forwarding6, "IPv6", "net.ipv6.conf.all.forwarding"));
    findings.push_back(judge_snat_ports(facts, config.datapath));
    findings.push_back(judge_memory(facts));
    return findings;
}

bool can_run(const std::vector<Finding>& findings) {
    return std::ranges::find(findings, State::missing, &Finding::state) == findings.end();
}

std::string check_table(const std::vector<Finding>& findings) {
    Table table({"STATE", "WHAT", "FOUND"});
    for (const auto& finding : findings)
        table.add({std::string(state_name(finding.state)), finding.name,
                   finding.remedy.empty() ? finding.detail : fmt::format("{}; {}", finding.detail, finding.remedy)});
    return table.to_string();
}

std::string map_table(const std::vector<datapath::MapSize>& maps) {
    Table table({"MAP", "SIZE", "MEMORY WHEN FULL", "SET BY"});
    std::uint64_t all = 0;
    for (const auto& map : maps) {
        table.add({std::string(map.name), std::to_string(map.entries), mebibytes(map.memory), std::string(map.key)});
        all += map.memory;
    }
    table.add({"all maps", "", mebibytes(all), ""});
    return table.to_string();
}

boost::json::object check_json(const std::vector<Finding>& findings, const std::vector<datapath::MapSize>& maps) {
    boost::json::array list;
    for (const auto& finding : findings)
        list.push_back({{"name", finding.name},
                        {"state", state_name(finding.state)},
                        {"detail", finding.detail},
                        {"remedy", finding.remedy}});
    boost::json::object sizes;
    std::uint64_t all = 0;
    for (const auto& map : maps) {
        sizes[map.name] = {{"size", map.entries}, {"memory", map.memory}, {"key", map.key}};
        all += map.memory;
    }
    return {{"canRun", can_run(findings)}, {"findings", list}, {"maps", sizes}, {"mapMemory", all}};
}

int run_check(const config::Config& config, OutputFormat format) {
    auto findings = judge(read_host(config), config);
    auto maps = datapath::map_sizes(config.datapath.sizes);
    if (format == OutputFormat::json)
        fmt::print("{}\n", boost::json::serialize(check_json(findings, maps)));
    else
        fmt::print("{}\n{}", check_table(findings), map_table(maps));
    if (can_run(findings)) return 0;
    std::vector<std::string_view> lacking;
    for (const auto& finding : findings)
        if (finding.state == State::missing) lacking.push_back(finding.name);
    fmt::print(stderr, "weir check: weir cannot run here; see {}\n", fmt::join(lacking, ", "));
    return 1;
}

}  // namespace weir::cli
