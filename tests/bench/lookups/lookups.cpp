// SPDX-License-Identifier: Apache-2.0
// weir-bench-lookups: the number of map lookups for a packet of each kind.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "maps/fd.hpp"
#include "tests/bench/scene.hpp"
#include "tests/bench/tool.hpp"

namespace weir::bench {
namespace {

constexpr std::uint32_t packets = 256;

// map_uses of count.h.
struct MapUses {
    std::uint64_t hash_lookups, array_lookups, hash_writes;
};

struct Row {
    CaseOf which;
    MapUses before, after;
    double per_packet(std::uint64_t MapUses::*counter) const {
        return static_cast<double>(after.*counter - before.*counter) / packets;
    }
};

// Returns the map behind the program's .bss.
maps::Fd uses_of(int program_fd) {
    std::array<std::uint32_t, 64> ids{};
    bpf_prog_info info{};
    info.nr_map_ids = ids.size();
    info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(program_fd, &info, &size)) throw std::runtime_error("asking for the program's maps");
    for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) {
        maps::Fd fd(bpf_map_get_fd_by_id(ids[i]));
        bpf_map_info map{};
        size = sizeof(map);
        if (fd && !bpf_obj_get_info_by_fd(fd.get(), &map, &size) && std::string_view(map.name).ends_with(".bss") &&
            map.value_size == sizeof(MapUses))
            return fd;
    }
    throw std::runtime_error("the program has no counters");
}

MapUses read(const maps::Fd& fd) {
    std::uint32_t zero = 0;
    MapUses uses{};
    if (bpf_map_lookup_elem(fd.get(), &zero, &uses)) throw std::runtime_error("reading the counters");
    return uses;
}

Row measure(const CaseOf& which) {
    Scene scene(which);
    maps::Fd counters = uses_of(scene.program());
    Row row{which, read(counters), {}};
    if (scene.run_weir(packets).on_path != packets)
        throw std::runtime_error(
            fmt::format("{} {}: not every packet took the path under test", which.program(), which.name()));
    row.after = read(counters);
    return row;
}

void print_table(const std::vector<Row>& rows) {
    fmt::print("{:<10} {:<12} {:<6} {:>12} {:>13} {:>11}\n", "program", "case", "family", "hash lookups",
               "array lookups", "hash writes");
    for (const Row& row : rows)
        fmt::print("{:<10} {:<12} {:<6} {:>12.2f} {:>13.2f} {:>11.2f}\n", row.which.program(), row.which.name(),
                   fmt::format("IPv{}", row.which.family), row.per_packet(&MapUses::hash_lookups),
                   row.per_packet(&MapUses::array_lookups), row.per_packet(&MapUses::hash_writes));
}

void write_json(const std::string& path, const std::vector<Row>& rows) {
    std::ofstream out(path);
    fmt::print(out, "{{\"bench\":\"lookups\",\"packets\":{},\"results\":[", packets);
    for (const Row& row : rows)
        fmt::print(out,
                   "{}\n{{\"program\":\"{}\",\"case\":\"{}\",\"family\":{},\"hash_lookups_count\":{:.2f},"
                   "\"array_lookups_count\":{:.2f},\"hash_writes_count\":{:.2f}}}",
                   &row == rows.data() ? "" : ",", row.which.program(), row.which.name(), row.which.family,
                   row.per_packet(&MapUses::hash_lookups), row.per_packet(&MapUses::array_lookups),
                   row.per_packet(&MapUses::hash_writes));
    fmt::print(out, "\n]}}\n");
    if (!out.flush()) throw std::runtime_error(path + ": not writable");
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    std::string json;
    CLI::App app(
        "Accesses to maps per packet, for the cases of weir-bench-packet: the same programs, compiled with a counter "
        "at\n"
        "each access. Needs root.");
    app.add_option("--json", json, "Also write the results here");
    return run_tool(app, argc, argv, [&] {
        weir::test::Node::enter();
        std::vector<Row> rows;
        for (const CaseOf& which : all_cases()) {
            bool one_of_each = which.flows == flows_of_one_size || which.flows > most_flows;
            // A few packets cannot take all ports.
            if (one_of_each && which.kind != Kind::Crowded) rows.push_back(measure(which));
        }
        print_table(rows);
        if (!json.empty()) write_json(json, rows);
    });
}
