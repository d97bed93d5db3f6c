// SPDX-License-Identifier: Apache-2.0
// `weir status`: is the agent there, what does it complain about, which way did the packets go.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "loader/agent/state_file.hpp"
#include "loader/cli/commands.hpp"
#include "loader/cli/snat_status.hpp"
#include "loader/view/node_view.hpp"
#include "maps/verdict.hpp"

namespace weir::cli {

namespace {

boost::json::object usage_of(const maps::PinPaths& pins) {
    boost::json::object usage;
    auto add = [&]<class View>(const maps::TypedRow<View>& row) {
        if constexpr (requires(View view) { view.max_entries(); }) {
            if (row.usage == maps::Usage::hidden) return;
            auto map = View::open(pins.map(row.name));
            if (!map) return;
            std::uint64_t used = 0;
            if (map->for_each([&](const auto&, const auto& value) { used += maps::is_used(value); })) return;
            usage[row.name] = {{"used", used}, {"size", map->max_entries()}, {"memory", maps::raw::memory(map->fd())}};
        }
    };
    std::apply([&](const auto&... rows) { (add(rows), ...); }, maps::typed_table);
    return usage;
}

// Returns the memory that the kernel charges for all maps, also for those without a line of their own.
std::uint64_t memory_of_all(const maps::PinPaths& pins) {
    std::uint64_t octets = 0;
    for (auto name : maps::map_names()) {
        if (auto fd = maps::raw::open_pinned(pins.map(name))) octets += maps::raw::memory(fd->get());
    }
    return octets;
}

// Each verdict's counter, by its name.
boost::json::object verdicts_of(auto count) {
    boost::json::object out;
    for (std::uint32_t i = 0; i < abi::VERDICT_COUNT; ++i) {
        auto verdict = static_cast<abi::verdict>(i);
        abi::verdict_count sum = count(verdict);
        out[maps::verdict_name(verdict).name] = {{"packets", sum.packets}, {"octets", sum.octets}};
    }
    return out;
}

boost::json::object verdicts_by_hook(const maps::VerdictArray& array) {
    boost::json::object out;
    for (std::uint32_t i = 0; i < abi::HOOK_COUNT; ++i) {
        auto hook = static_cast<abi::hook>(i);
        out[maps::hook_name(hook)] = verdicts_of([&](abi::verdict verdict) { return array.total(hook, verdict); });
    }
    return out;
}

std::uint64_t packets_of(const boost::json::value& verdicts, std::string_view name) {
    return boost::json::value_to<std::uint64_t>(verdicts.at(name).at("packets"));
}

// Packets alone, one column a hook. A hook that has counted nothing has a column too: that may be the news.
Table table_by_hook(const boost::json::object& hooks) {
    Table table({"VERDICT", "XDP", "TC UPLINK", "TC WORKLOAD", "TC EGRESS", "SOCKET"});
    for (std::uint32_t i = 0; i < abi::VERDICT_COUNT; ++i) {
        auto name = maps::verdict_name(static_cast<abi::verdict>(i)).name;
        std::vector<std::string> row{std::string(name)};
        bool counted = false;
        for (std::uint32_t hook = 0; hook < abi::HOOK_COUNT; ++hook) {
            auto packets = packets_of(hooks.at(maps::hook_name(static_cast<abi::hook>(hook))), name);
            row.push_back(std::to_string(packets));
            counted = counted || packets != 0;
        }
        if (counted) table.add(std::move(row));
    }
    return table;
}

void print_table(const boost::json::object& status) {
    const auto& agent = status.at("agent").as_object();
    bool running = agent.at("running").as_bool();
    fmt::print("agent       {}\n", running ? "running" : "not running (the datapath serves on its own)");
    auto text = [&](const char* key) {
        const auto* value = agent.if_contains(key);
        return value && value->is_string() ? std::string(value->get_string()) : std::string("-");
    };
    fmt::print("node        {}\nsource      {}\n", text("node"), text("source"));
    // The cgroup whose processes the socket hooks serve.
    fmt::print("sockets     {}\n", text("socketHooks"));
    print_snat(status.at("snatPorts").as_object());
    if (const auto* held = agent.if_contains("held"); held && held->is_bool() && held->get_bool())
        fmt::print(
            "held        the source has errors since the start: nothing that the last agent served is taken away\n");

    Table usage({"MAP", "USED", "SIZE", "MEMORY"});
    for (const auto& [name, entry] : status.at("maps").as_object())
        usage.add({std::string(name), boost::json::serialize(entry.at("used")),
                   boost::json::serialize(entry.at("size")),
                   mebibytes(boost::json::value_to<std::uint64_t>(entry.at("memory")))});
    usage.add({"all maps", "", "", mebibytes(boost::json::value_to<std::uint64_t>(status.at("mapMemory")))});
    fmt::print("\n{}", usage.to_string());

    if (const auto* interfaces = agent.if_contains("interfaces")) {
        Table table({"INTERFACE", "ROLE", "TC", "XDP"});
        for (const auto& value : interfaces->as_array()) {
            const auto& entry = value.as_object();
            auto cell = [&](const char* key) { return std::string(entry.at(key).as_string()); };
            table.add({cell("name"), cell("role"), cell("tc"), cell("xdp")});
        }
        fmt::print("\n{}", table.to_string());
    }

    Table verdicts({"VERDICT", "PACKETS", "OCTETS", "MEANING"});
    for (std::uint32_t i = 0; i < abi::VERDICT_COUNT; ++i) {
        auto name = maps::verdict_name(static_cast<abi::verdict>(i));
        const auto& count = status.at("verdicts").as_object().at(name.name).as_object();
        if (boost::json::value_to<std::uint64_t>(count.at("packets")) == 0) continue;
        verdicts.add({std::string(name.name), boost::json::serialize(count.at("packets")),
                      boost::json::serialize(count.at("octets")), std::string(name.meaning)});
    }
    fmt::print("\n{}", verdicts.to_string());
    fmt::print("\n{}", table_by_hook(status.at("verdictsByHook").as_object()).to_string());

    if (const auto* problems = agent.if_contains("problems"); problems && !problems->as_array().empty()) {
        fmt::print("\n");
        for (const auto& value : problems->as_array()) {
            const auto& entry = value.as_object();
            fmt::print("{}: {}\n", entry.at("severity").as_string().c_str(), entry.at("message").as_string().c_str());
        }
    }
}

}  // namespace

int run_status(const config::Config& config, OutputFormat format) {
    const auto& pins = config.datapath.pins;
    auto fail = [](const std::string& what) {
        fmt::print(stderr, "weir status: {}\n", what);
        return 1;
    };
    auto view = view::read_node(pins);
    if (!view) return fail(view.error());
    auto verdicts = maps::open_map<maps::VerdictArray>(pins, "verdicts");
    if (!verdicts) return fail(verdicts.error());
    auto snat = view::read_snat(config.datapath.pins, config.datapath.snat_ports);
    if (!snat) return fail(snat.error());
    auto state = agent::read_state(pins);
    state.content["running"] = state.running;
    boost::json::object status{
        {"agent", state.content},
        {"maps", usage_of(pins)},
        {"mapMemory", memory_of_all(pins)},
        {"snatPorts", snat_json(*snat, *view, verdicts->total(abi::VERDICT_DROP_NO_SNAT_PORT).packets)},
        {"verdicts", verdicts_of([&](abi::verdict verdict) { return verdicts->total(verdict); })},
        {"verdictsByHook", verdicts_by_hook(*verdicts)}};
    if (format == OutputFormat::json)
        fmt::print("{}\n", boost::json::serialize(status));
    else
        print_table(status);
    return 0;
}

}  // namespace weir::cli
