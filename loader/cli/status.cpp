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

// What the kernel charges for all maps, those too that have no line of their own.
std::uint64_t memory_of_all(const maps::PinPaths& pins) {
    std::uint64_t octets = 0;
    for (auto name : maps::map_names()) {
        if (auto fd = maps::raw::open_pinned(pins.map(name))) octets += maps::raw::memory(fd->get());
    }
    return octets;
}

boost::json::object verdicts_of(const maps::VerdictArray& array) {
    boost::json::object out;
    for (std::uint32_t i = 0; i < abi::VERDICT_COUNT; ++i) {
        auto sum = array.total(static_cast<abi::verdict>(i));
        out[maps::verdict_name(static_cast<abi::verdict>(i)).name] = {{"packets", sum.packets}, {"octets", sum.octets}};
    }
    return out;
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
    auto snat = view::read_snat(config.datapath.pins, {config.datapath.snat_port_min, config.datapath.snat_port_max});
    if (!snat) return fail(snat.error());
    auto state = agent::read_state(pins);
    state.content["running"] = state.running;
    boost::json::object status{
        {"agent", state.content},
        {"maps", usage_of(pins)},
        {"mapMemory", memory_of_all(pins)},
        {"snatPorts", snat_json(*snat, *view, verdicts->total(abi::VERDICT_DROP_NO_SNAT_PORT).packets)},
        {"verdicts", verdicts_of(*verdicts)}};
    if (format == OutputFormat::json)
        fmt::print("{}\n", boost::json::serialize(status));
    else
        print_table(status);
    return 0;
}

}  // namespace weir::cli
