// SPDX-License-Identifier: Apache-2.0
// weir-bench-packet: the cost of a packet in the XDP program, above the least possible cost of an XDP_TX.
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <vector>

#include "tests/bench/cpu.hpp"
#include "tests/bench/quantile.hpp"
#include "tests/bench/scene.hpp"
#include "tests/bench/tool.hpp"

namespace weir::bench {
namespace {

struct Options {
    int rounds = 7;
    std::uint32_t packets = 2'000'000;
    bool quick = false;
    int cpu = -1;
    std::string json;
    std::string only, program;
    std::uint32_t most_flows = bench::most_flows;
};

struct Row {
    CaseOf which;
    double null, total;            // medians
    double best_null, best_total;  // on a busy machine the least disturbed round says more
    double above() const { return total - null; }
    double best() const { return best_total - best_null; }
};

std::vector<CaseOf> cases_of(const Options& options) {
    auto cases = all_cases();
    std::erase_if(cases, [&](const CaseOf& c) {
        return (c.flows <= most_flows && c.flows > options.most_flows) ||
               c.name().find(options.only) == std::string::npos ||
               c.program().find(options.program) == std::string::npos;
    });
    return cases;
}

std::string flows_of(const CaseOf& which) {
    return which.flows > most_flows ? "each" : std::to_string(which.flows);
}

// Runs null and weir in turns in every round, so that a change of clock or load affects both.
std::vector<Row> measure(const Options& options) {
    std::vector<CaseOf> cases = cases_of(options);
    std::vector<std::unique_ptr<Scene>> scenes;
    for (const CaseOf& which : cases) {
        fmt::print(stderr, "preparing {} {} IPv{} {}\n", which.program(), which.name(), which.family, flows_of(which));
        scenes.push_back(std::make_unique<Scene>(which));
    }
    std::vector<std::vector<double>> null(cases.size()), total(cases.size());
    for (int round = -1; round < options.rounds; ++round) {
        for (std::size_t i = 0; i < cases.size(); ++i) {
            Measurement without = scenes[i]->run_null(options.packets);
            Measurement with = scenes[i]->run_weir(options.packets);
            if (without.on_path != 0 || with.on_path != options.packets)
                throw std::runtime_error(fmt::format("{} IPv{}: {} of {} packets took the path under test",
                                                     cases[i].name(), cases[i].family, with.on_path, options.packets));
            if (round < 0) continue;  // warms caches and fills the tables
            null[i].push_back(without.nanoseconds);
            total[i].push_back(with.nanoseconds);
        }
    }
    std::vector<Row> rows;
    for (std::size_t i = 0; i < cases.size(); ++i)
        rows.push_back(
            {cases[i], median(null[i]), median(total[i]), std::ranges::min(null[i]), std::ranges::min(total[i])});
    return rows;
}

void print_table(const std::vector<Row>& rows) {
    fmt::print("{:<10} {:<21} {:<6} {:>8} {:>9} {:>9} {:>11} {:>7} {:>11}\n", "program", "case", "family", "flows",
               "null ns", "total ns", "above null", "x null", "above, best");
    for (const Row& row : rows)
        fmt::print("{:<10} {:<21} {:<6} {:>8} {:>9.1f} {:>9.1f} {:>11.1f} {:>7.2f} {:>11.1f}\n", row.which.program(),
                   row.which.name(), fmt::format("IPv{}", row.which.family), flows_of(row.which), row.null, row.total,
                   row.above(), row.total / row.null, row.best());
}

void write_json(const Options& options, const std::vector<Row>& rows) {
    utsname kernel{};
    uname(&kernel);
    std::ofstream out(options.json);
    fmt::print(out, "{{\"bench\":\"packet\",\"kernel\":\"{}\",\"rounds\":{},\"packets\":{},\"results\":[",
               kernel.release, options.rounds, options.packets);
    for (const Row& row : rows)
        fmt::print(out,
                   "{}\n{{\"program\":\"{}\",\"case\":\"{}\",\"family\":{},\"flows\":{},\"null_ns\":{:.2f},\"total_"
                   "ns\":{:.2f},"
                   "\"above_null_ns\":{:.2f},\"ratio\":{:.3f},\"best_above_null_ns\":{:.2f}}}",
                   &row == rows.data() ? "" : ",", row.which.program(), row.which.name(), row.which.family,
                   row.which.flows > most_flows ? "null" : std::to_string(row.which.flows), row.null, row.total,
                   row.above(), row.total / row.null, row.best());
    fmt::print(out, "\n]}}\n");
    if (!out.flush()) throw std::runtime_error(options.json + ": not writable");
}

void run(const Options& options) {
    test::Node::enter();
    pin_to_cpu(options.cpu >= 0 ? options.cpu : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1);
    auto rows = measure(options);
    print_table(rows);
    if (!options.json.empty()) write_json(options, rows);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    Options options;
    CLI::App app(
        "Nanoseconds per packet of weir's XDP and tc programs (external client, remote backend: SNAT and out again;\n"
        "or a pod as client), under BPF_PROG_TEST_RUN. A wrapper restores the packet and tail-calls the program; the\n"
        "same wrapper with a bare MAC swap is subtracted. Rounds are interleaved, medians reported. Needs root; an\n"
        "idle machine helps.\n"
        "  sudo weir-bench-packet --json result.json");
    app.add_option("--rounds", options.rounds, "Rounds per case, the median counts")->check(CLI::Range(1, 1000));
    app.add_option("--packets", options.packets, "Packets per round")->check(CLI::Range(1000u, 1'000'000'000u));
    app.add_option("--cpu", options.cpu, "CPU to run on (default: the last one)");
    app.add_option("--only", options.only, "Cases whose name contains this");
    app.add_option("--program", options.program, "Programs whose name contains this: xdp, tc uplink, tc pod");
    app.add_option("--most-flows", options.most_flows, "No case of established flows with more than these");
    app.add_option("--json", options.json, "Also write the results here");
    app.add_flag("--quick", options.quick, "A smoke run: small tables, few packets; its numbers mean little");
    return run_tool(app, argc, argv, [&] {
        if (options.quick) {
            options.rounds = 1;
            options.packets = 20'000;
            options.most_flows = 1u << 10;
        }
        run(options);
    });
}
