// SPDX-License-Identifier: Apache-2.0
// weir-bench-sink: counts frames at the far end of a benchmark, and drops or answers them.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "sink.skel.h"
#include "tests/bench/tool.hpp"

namespace weir::bench {
namespace {

struct Options {
    std::vector<std::string> interfaces;
    std::uint16_t backend_port = 8080, frontend_port = 0;
};

class Sink {
public:
    explicit Sink(const Options& options) {
        skeleton_ = sink_bpf::open();
        if (!skeleton_) throw std::runtime_error("the BPF program cannot be opened");
        skeleton_->rodata->backend_port = options.backend_port;
        skeleton_->rodata->frontend_port = options.frontend_port;
        if (sink_bpf::load(skeleton_))
            throw std::runtime_error(fmt::format("the BPF program does not load: {}", std::strerror(errno)));
        for (const std::string& interface : options.interfaces) attach(interface);
    }
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() {
        for (bpf_link* link : links_) bpf_link__destroy(link);
        sink_bpf::destroy(skeleton_);
    }

    void answer(bool on) { skeleton_->bss->answering = on; }
    std::uint64_t count(std::uint32_t which) const {
        std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
        if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counts), &which, values.data()))
            throw std::runtime_error("the counters cannot be read");
        return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
    }

private:
    void attach(const std::string& interface) {
        unsigned ifindex = if_nametoindex(interface.c_str());
        if (!ifindex) throw std::runtime_error(interface + ": no such interface in this network namespace");
        bpf_link* link = bpf_program__attach_xdp(skeleton_->progs.sink, static_cast<int>(ifindex));
        if (!link) throw std::runtime_error(fmt::format("{}: XDP: {}", interface, std::strerror(errno)));
        links_.push_back(link);
    }

    sink_bpf* skeleton_ = nullptr;
    std::vector<bpf_link*> links_;  // the kernel removes them when the process ends, and the program with them
};

void serve(Sink& sink) {
    auto report = [&] {
        fmt::print("{{\"delivered\":{},\"returned\":{}}}\n", sink.count(0), sink.count(1));
        std::fflush(stdout);
    };
    report();
    for (std::string line; std::getline(std::cin, line); report()) {
        if (line == "answer") sink.answer(true);
        if (line == "drop") sink.answer(false);
    }
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    Options options;
    CLI::App app(
        "Counts TCP and UDP frames for the backends' port at these interfaces (by XDP) and drops them; all else "
        "passes.\n"
        "Prints its counters as JSON when it is ready, and again for every line that it reads, until there are no "
        "more.\n"
        "The line `answer` makes it send frames back to where they came from, `drop` makes it drop them again.");
    app.add_option("interface", options.interfaces, "Interfaces of this network namespace")->required();
    app.add_option("--backend-port", options.backend_port, "Destination port of what is `delivered`")
        ->capture_default_str();
    app.add_option("--frontend-port", options.frontend_port,
                   "Source port of answers on their way to the client: `returned`, and dropped (default: none)");
    return run_tool(app, argc, argv, [&] {
        Sink sink(options);
        serve(sink);
    });
}
