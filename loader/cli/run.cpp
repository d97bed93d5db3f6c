// SPDX-License-Identifier: Apache-2.0
// `weir run`: the agent, until SIGINT or SIGTERM. Leaving leaves the datapath in place.
#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <fstream>

#include "loader/agent/agent.hpp"
#include "loader/cli/commands.hpp"
#include "loader/datapath/bpffs.hpp"
#include "loader/net/local_ports.hpp"

namespace weir::cli {

namespace {

int fail(const std::string& what) {
    fmt::print(stderr, "weir run: {}\n", what);
    return 1;
}

void warn_of_snat_ports(const config::Config& config) {
    auto advice = net::judge_snat_ports(config.datapath.snat_ports, net::read_local_ports());
    if (!advice.safe)
        spdlog::warn("SNAT ports: {}{}{}", advice.detail, advice.remedy.empty() ? "" : "; ", advice.remedy);
}

void warn_of_forwarding() {
    for (const char* path : {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}) {
        int on = 1;
        std::ifstream(path) >> on;
        if (!on) spdlog::warn("{} is 0: packets to pods are not forwarded; set it to 1", path);
    }
}

}  // namespace

int run_agent(const config::Config& config) {
    spdlog::set_default_logger(spdlog::stderr_color_mt("weir"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    spdlog::set_level(spdlog::level::from_str(config.log_level));
    // glibc's own choice to begin with, and so it stays: it would raise it with each large block that is freed. Texts
    // and lists of changes of many MiB would then come from the heap, and what is kept would lie behind them.
    ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    if (config.manifests.empty()) {
        fail("no source of objects; name a file or folder with --manifests, or source.manifests in --config");
        return 2;
    }

    auto state = agent::StateFile::create(config.datapath.pins);
    if (!state) return fail(state.error());
    auto mounted = datapath::ensure_bpffs(config.datapath.pins.root);
    if (!mounted) return fail(mounted.error());
    if (*mounted) spdlog::info("mounted a bpffs at /sys/fs/bpf");

    // Every healthCheckNodePort is a descriptor for each address of the node; the usual soft limit is 1024.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }

    auto programs = datapath::Programs::load(config.datapath);
    if (!programs) return fail(programs.error());
    for (const auto& note : programs->notes()) spdlog::warn("{}", note);
    for (const auto& size : programs->unapplied()) spdlog::warn("{}", size);
    warn_of_snat_ports(config);
    warn_of_forwarding();

    boost::asio::io_context io;
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](auto error, int) {
        if (!error) io.stop();
    });
    agent::Agent agent(io, config, *programs, std::move(*state));
    if (auto started = agent.start(); !started) return fail(started.error());
    io.run();
    spdlog::info("stopped; the datapath goes on as it is (`weir detach` removes it)");
    return 0;
}

}  // namespace weir::cli
