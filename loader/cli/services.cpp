// SPDX-License-Identifier: Apache-2.0
// `weir services` and `weir backends`: what the kernel serves, read from the maps; no agent is needed.
#include <fmt/format.h>
#include <netinet/in.h>

#include <boost/json.hpp>
#include <cstdio>

#include "loader/agent/state_file.hpp"
#include "loader/cli/commands.hpp"
#include "loader/cli/snat_status.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"
#include "loader/view/node_view.hpp"

namespace weir::cli {

namespace {

int fail(std::string_view command, const std::string& what) {
    fmt::print(stderr, "weir {}: {}\n", command, what);
    return 1;
}

struct ScopeBackends {
    std::string_view action;
    std::vector<std::string> addresses;
};

std::expected<ScopeBackends, std::string> backends_of(const view::NodeView& view, const maps::SlotMap& slots,
                                                      const abi::slot_range& range, std::uint8_t action) {
    ScopeBackends out{view::action_name(action), {}};
    auto shares = view::slot_shares(slots, range);
    if (!shares) return std::unexpected(shares.error());
    for (const auto& [id, share] : *shares) {
        auto backend = view.backends.find(id);
        if (backend != view.backends.end())
            out.addresses.push_back(
                model::to_string(model::address_of(backend->second.address), ntohs(backend->second.port_be)));
    }
    return out;
}

boost::json::object scope_json(const ScopeBackends& scope) {
    return {{"action", scope.action}, {"backends", boost::json::array(scope.addresses.begin(), scope.addresses.end())}};
}

std::string scope_text(const ScopeBackends& scope) {
    return scope.addresses.empty() ? fmt::format("({})", scope.action) : view::shortened(scope.addresses);
}

}  // namespace

int run_services(const config::Config& config, OutputFormat format) {
    const auto& pins = config.datapath.pins;
    auto view = view::read_node(pins);
    if (!view) return fail("services", view.error());
    auto slots = maps::open_map<maps::SlotMap>(pins, "slots");
    if (!slots) return fail("services", slots.error());

    Table table({"SERVICE", "KIND", "FRONTEND", "FROM CLUSTER", "FROM OUTSIDE"});
    boost::json::array json;
    for (const auto& [key, frontend] : view->frontends) {
        auto cluster = backends_of(*view, *slots, frontend.cluster, frontend.cluster_action);
        auto external = backends_of(*view, *slots, frontend.external, frontend.external_action);
        if (!cluster || !external) return fail("services", !cluster ? cluster.error() : external.error());
        auto address = model::address_of(key.address);
        const auto& name = view->service(frontend.service_id);
        if (format == OutputFormat::json)
            json.push_back({{"service", name},
                            {"kind", view::kind_name(frontend.kind)},
                            {"address", address.to_string()},
                            {"port", ntohs(key.port_be)},
                            {"protocol", view::protocol_name(key.protocol)},
                            {"cluster", scope_json(*cluster)},
                            {"external", scope_json(*external)}});
        else
            table.add(
                {name, std::string(view::kind_name(frontend.kind)),
                 fmt::format("{}/{}", model::to_string(address, ntohs(key.port_be)), view::protocol_name(key.protocol)),
                 scope_text(*cluster), scope_text(*external)});
    }
    auto state = agent::read_state(pins);
    const auto* others = state.content.if_contains("notBalanced");
    if (format == OutputFormat::json) {
        fmt::print("{}\n", boost::json::serialize(boost::json::object{
                               {"frontends", json}, {"notBalanced", others ? *others : boost::json::array{}}}));
        return 0;
    }
    if (others && others->is_array()) {
        for (const auto& other : others->get_array()) {
            const auto& entry = other.as_object();
            table.add({std::string(entry.at("name").as_string()),
                       fmt::format("({})", entry.at("state").as_string().c_str()), "-", "-", "-"});
        }
    }
    fmt::print("{}", table.to_string());
    if (!state.running)
        fmt::print(stderr, "note: no agent is running here; this is what the kernel serves on its own\n");
    return 0;
}

int run_backends(const config::Config& config, OutputFormat format) {
    auto view = view::read_node(config.datapath.pins);
    if (!view) return fail("backends", view.error());
    auto snat = view::read_snat(config.datapath.pins, config.datapath.snat_ports);
    if (!snat) return fail("backends", snat.error());
    Table table({"ID", "BACKEND", "SNAT PORTS", "SERVICE"});
    boost::json::array json;
    for (const auto& [id, backend] : view->backends) {
        auto address = model::address_of(backend.address);
        auto port = ntohs(backend.port_be);
        auto endpoint = view::endpoint_of(backend);
        if (format == OutputFormat::json)
            json.push_back({{"id", id},
                            {"address", address.to_string()},
                            {"port", port},
                            {"protocol", view::protocol_name(backend.protocol)},
                            {"snatPorts", snat_json(*snat, endpoint)},
                            {"service", view->service(backend.service_id)}});
        else
            table.add({std::to_string(id),
                       fmt::format("{}/{}", model::to_string(address, port), view::protocol_name(backend.protocol)),
                       snat_text(*snat, endpoint), view->service(backend.service_id)});
    }
    if (format == OutputFormat::json)
        fmt::print("{}\n", boost::json::serialize(json));
    else
        fmt::print("{}", table.to_string());
    return 0;
}

}  // namespace weir::cli
