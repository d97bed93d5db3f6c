// SPDX-License-Identifier: Apache-2.0
// weir-bench-control: the cost of the control plane, from the text of manifests to the entries of the kernel's maps.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <malloc.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <random>
#include <vector>

#include "loader/plan/maglev.hpp"
#include "tests/bench/control_plane.hpp"
#include "tests/bench/quantile.hpp"
#include "tests/bench/tool.hpp"

namespace weir::bench {
namespace {

struct Options {
    int rounds = 3;
    int changes = 300;
    bool quick = false;
    std::string json;
};

// One row of the result: names and numbers in the order of the output.
struct Row {
    std::vector<std::pair<std::string, std::string>> cells;
    void add(std::string name, const std::string& text) { cells.emplace_back(std::move(name), '"' + text + '"'); }
    void add(std::string name, double value) { cells.emplace_back(std::move(name), fmt::format("{:.3f}", value)); }
    void add(std::string name, std::uint64_t value) { cells.emplace_back(std::move(name), std::to_string(value)); }
};

Row measure(const Size& size, const Options& options) {
    std::vector<double> json, yaml, plan, program, changes;
    std::uint64_t calls = 0, octets = 0, kernel = 0, resident = 0;
    for (int round = 0; round < options.rounds; ++round) {
        ::malloc_trim(0);
        auto before = resident_kib();
        std::string text = manifests(size, decode::Format::json);
        octets = text.size();
        Stopwatch watch;
        auto decoded = decode::decode(text, decode::Format::json, "all.json");
        json.push_back(static_cast<double>(octets) / watch.microseconds());
        if (!decoded.problems.empty()) throw std::runtime_error(decoded.problems.front().to_string());
        std::string().swap(text);

        // YAML is slow enough that a part of it suffices for the measurement.
        std::string part = manifests({"", std::min(size.services, 1000u), size.endpoints}, decode::Format::yaml);
        watch.restart();
        decode::decode(part, decode::Format::yaml, "part.yaml");
        yaml.push_back(static_cast<double>(part.size()) / watch.microseconds());

        ControlPlane plane;
        for (auto& object : decoded.objects) plane.cluster.apply(model::Upsert{std::move(object)});
        decoded = {};
        std::string().swap(part);
        watch.restart();
        auto todo = plane.plan();
        plan.push_back(watch.microseconds() / 1000);
        watch.restart();
        auto calls_before = ControlPlane::bpf_calls();
        plane.program(todo);
        program.push_back(watch.microseconds() / 1000);
        calls = ControlPlane::bpf_calls() - calls_before;
        kernel = plane.map_octets();
        todo = {};
        ::malloc_trim(0);
        resident = std::max(resident, resident_kib() > before ? resident_kib() - before : 0);

        // Removes the last endpoint of a service and adds it again. Measures elapsed time: a client waits that long.
        std::mt19937 random(1);
        for (int i = 0; i < options.changes; ++i) {
            auto service = static_cast<std::uint32_t>(random() % size.services);
            for (bool less : {true, false}) {
                auto slice = slice_of(size, service, less);
                Stopwatch elapsed(CLOCK_MONOTONIC);
                plane.cluster.apply(model::Upsert{std::move(slice)});
                auto written = ControlPlane::bpf_calls();
                plane.program(plane.plan());
                changes.push_back(elapsed.microseconds());
                if (ControlPlane::bpf_calls() == written) throw std::runtime_error("a change wrote nothing");
                plane.grace_period_passed();
            }
        }
    }
    Row row;
    row.add("case", size.name);
    row.add("services", std::uint64_t{size.services});
    row.add("endpoints", std::uint64_t{size.services} * size.endpoints);
    row.add("json_mb_per_second", median(json));
    row.add("yaml_mb_per_second", median(yaml));
    row.add("plan_ms", median(plan));
    row.add("program_ms", median(program));
    row.add("bpf_calls_count", calls);
    row.add("change_p50_us", quantile(changes, 0.5));
    row.add("change_p99_us", quantile(changes, 0.99));
    row.add("state_kib", resident);
    row.add("maps_mib", static_cast<double>(kernel) / 1024 / 1024);
    return row;
}

Row measure_maglev(std::uint32_t backends, const Options& options) {
    plan::BackendSet set;
    for (std::uint32_t i = 0; i < backends; ++i)
        set.push_back({model::Address::from_ipv4(0x0a000000 + i), static_cast<std::uint16_t>(8080)});
    std::vector<double> times;
    for (int round = 0; round < options.rounds; ++round) {
        Stopwatch watch;
        auto table = plan::maglev_table(set);
        times.push_back(watch.microseconds());
    }
    Row row;
    row.add("case", "maglev");
    row.add("backends", std::uint64_t{backends});
    row.add("slots", std::uint64_t{plan::maglev_size(backends)});
    row.add("build_us", median(times));
    return row;
}

void print(const std::vector<Row>& rows) {
    std::string header;
    for (const Row& row : rows) {
        std::string names, values;
        for (const auto& [name, value] : row.cells) {
            auto width = std::max(name.size(), value.size()) + 2;
            names += fmt::format("{:>{}}", name, width);
            values += fmt::format("{:>{}}", value, width);
        }
        if (names.size() != header.size()) fmt::print("\n{}\n", names);
        header = names;
        fmt::print("{}\n", values);
    }
}

void write_json(const std::string& path, int rounds, const std::vector<Row>& rows) {
    utsname kernel{};
    ::uname(&kernel);
    std::ofstream out(path);
    fmt::print(out, "{{\"bench\":\"control\",\"kernel\":\"{}\",\"rounds\":{},\"results\":[", kernel.release, rounds);
    for (const Row& row : rows) {
        fmt::print(out, "{}\n{{", &row == rows.data() ? "" : ",");
        for (const auto& cell : row.cells)
            fmt::print(out, "{}\"{}\":{}", &cell == row.cells.data() ? "" : ",", cell.first, cell.second);
        fmt::print(out, "}}");
    }
    fmt::print(out, "\n]}}\n");
    if (!out.flush()) throw std::runtime_error(path + ": not writable");
}

void run(const Options& options) {
    std::vector<Size> sizes = {{"small", 1000, 2},
                               {"10,000 x 10", 10'000, 10},
                               {"44,000 x 2", 44'000, 2},
                               {"5,000 x 50", 5'000, 50},
                               {"44,000 x 6", 44'000, 6}};
    std::vector<std::uint32_t> backends = {1, 10, 100, 1000, 10'000};
    if (options.quick) {
        sizes = {{"small", 100, 2}};
        backends = {10};
    }
    std::vector<Row> rows;
    for (const Size& size : sizes) {
        fmt::print(stderr, "{} services x {} endpoints\n", size.services, size.endpoints);
        rows.push_back(measure(size, options));
    }
    for (auto n : backends) rows.push_back(measure_maglev(n, options));
    print(rows);
    if (!options.json.empty()) write_json(options.json, options.rounds, rows);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    Options options;
    CLI::App app(
        "CPU time of the control plane: decoding manifests, planning from cold, writing real (private) maps from\n"
        "cold; and the elapsed time of one endpoint's change until the maps hold it, at several sizes. state_kib is\n"
        "what cluster, plan and layout keep; maps_mib what the kernel charges for the maps. Medians over the rounds.\n"
        "Needs root.");
    app.add_option("--rounds", options.rounds, "Rounds per size")->check(CLI::Range(1, 100));
    app.add_option("--changes", options.changes, "Endpoint changes per round")->check(CLI::Range(1, 100'000));
    app.add_option("--json", options.json, "Also write the results here");
    app.add_flag("--quick", options.quick, "A smoke run: its numbers mean little");
    return run_tool(app, argc, argv, [&] {
        if (options.quick) options.rounds = 1, options.changes = 20;
        run(options);
    });
}
