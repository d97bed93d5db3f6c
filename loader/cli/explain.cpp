// SPDX-License-Identifier: Apache-2.0
// `weir explain`: what becomes of a new connection, and why, by asking the programs themselves.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "loader/cli/commands.hpp"
#include "loader/cli/explain_arguments.hpp"
#include "loader/config/node_context.hpp"
#include "loader/explain/manifest_plan.hpp"
#include "loader/explain/rehearsal.hpp"
#include "loader/net/rtnetlink.hpp"
#include "loader/source/manifests/manifests.hpp"
#include "loader/view/names.hpp"
#include "maps/pins.hpp"

namespace weir::cli {

namespace {

struct Answer {
    explain::Question question;
    explain::Explanation explanation;
};

// --- the node's own maps ---

struct Entrance {
    explain::Via via;
    unsigned ifindex;
};

// Finds the interface on which a packet of this source comes in: the one that leads back to it.
std::expected<Entrance, std::string> entrance_of(const explain::Trial& trial, const model::Address& source,
                                                 std::optional<explain::Via> wanted) {
    auto socket = net::NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) return std::unexpected(socket.error());
    auto route = net::route_to(*socket, source);
    unsigned first_uplink = 0;
    bool on_uplink = route.ifindex == 0;  // nowhere: from outside, if from anywhere
    auto error = trial.view<maps::DeviceMap>("devices").for_each([&](auto ifindex, const auto& device) {
        if (!(device.flags & abi::DEVICE_UPLINK)) return;
        first_uplink = first_uplink == 0 ? ifindex : std::min(first_uplink, ifindex);
        on_uplink = on_uplink || ifindex == route.ifindex;
    });
    if (error) return std::unexpected(fmt::format("map devices: {}", error.message()));

    auto via = wanted.value_or(route.local ? explain::Via::host
                               : on_uplink ? explain::Via::uplink
                                           : explain::Via::workload);
    if (via == explain::Via::uplink && first_uplink == 0)
        return std::unexpected(std::string("no uplink is attached here: weir sees nothing that comes from outside"));
    bool usable = route.ifindex != 0 && !route.local && (via == explain::Via::uplink) == on_uplink;
    return Entrance{.via = via, .ifindex = usable ? route.ifindex : first_uplink};
}

std::expected<Answer, std::string> ask_node(const config::Config& config, const view::Tuple& tuple,
                                            std::optional<explain::Via> via) {
    auto trial = explain::Trial::of_node(config.datapath);
    if (!trial) return std::unexpected(trial.error());
    if (!trial->note().empty()) fmt::print(stderr, "note: {}\n", trial->note());
    auto entrance = entrance_of(*trial, tuple.source, via);
    if (!entrance) return std::unexpected(entrance.error());
    explain::Question question{.tuple = tuple, .via = entrance->via, .ifindex = entrance->ifindex};
    auto explanation = explain::explain(*trial, question);
    if (!explanation) return std::unexpected(explanation.error());
    return Answer{question, std::move(*explanation)};
}

// --- manifests ---

// Returns an address for a node whose own is not known, out of the ranges for documentation (RFC 5737, RFC 3849).
model::Address stand_in(model::Family family) {
    return *model::Address::parse(family == model::Family::ipv4 ? "192.0.2.1" : "2001:db8::1");
}

bool is_pod_of_node(const std::vector<model::Object>& objects, const std::string& node, const model::Address& address) {
    return std::ranges::any_of(objects, [&](const model::Object& object) {
        const auto* pod = std::get_if<model::Pod>(&object);
        return pod && pod->node_name == node && !pod->host_network &&
               std::ranges::find(pod->ips, address) != pod->ips.end();
    });
}

std::expected<Answer, std::string> ask_manifests(const config::Config& config, const view::Tuple& tuple,
                                                 std::optional<explain::Via> via) {
    auto read = source::read_manifests(config.manifests);
    if (!read) return std::unexpected(read.error());
    explain::print_problems(read->problems);
    bool pod = is_pod_of_node(read->objects, config.node, tuple.source);
    model::Cluster cluster;
    for (auto& object : read->objects) cluster.apply(model::Upsert{std::move(object)});

    auto context = config::node_context(config, cluster);
    auto family = tuple.source.family();
    if (!model::first_of(context.addresses, family)) {
        fmt::print(stderr, "note: no Node object {} with an {} address: {} stands for it\n", config.node,
                   family == model::Family::ipv4 ? "IPv4" : "IPv6", stand_in(family).to_string());
        context.addresses.push_back(stand_in(family));
    }
    if (const auto* node = cluster.node(config.node))
        pod =
            pod || std::ranges::any_of(node->pod_cidrs, [&](const auto& cidr) { return cidr.contains(tuple.source); });
    auto local = explain::local_endpoints(cluster, context);
    pod = pod || std::ranges::find(local, tuple.source) != local.end();
    bool of_node =
        tuple.source.is_loopback() || std::ranges::find(context.addresses, tuple.source) != context.addresses.end();

    explain::Question question{.tuple = tuple,
                               .via = via.value_or(of_node ? explain::Via::host
                                                   : pod   ? explain::Via::workload
                                                           : explain::Via::uplink)};
    std::vector<model::Address> workloads;
    if (question.via == explain::Via::workload && !of_node) workloads.push_back(tuple.source);
    auto rehearsal = explain::Rehearsal::prepare(config.datapath, context, cluster, std::move(workloads));
    if (!rehearsal) return std::unexpected(rehearsal.error());
    explain::print_problems(rehearsal->problems());
    auto explanation = rehearsal->ask(tuple, question.via);
    if (!explanation) return std::unexpected(explanation.error());
    return Answer{question, std::move(*explanation)};
}

// --- output ---

boost::json::value endpoint_json(const std::optional<plan::Backend>& endpoint) {
    if (!endpoint) return nullptr;
    return boost::json::object{{"address", endpoint->address.to_string()}, {"port", endpoint->port}};
}

void print_json(const Answer& answer) {
    const auto& explanation = answer.explanation;
    boost::json::array candidates;
    for (const auto& candidate : explanation.candidates) candidates.push_back(endpoint_json(candidate));
    boost::json::value service, frontend;
    if (explanation.service) service = *explanation.service;
    if (explanation.frontend)
        frontend = boost::json::object{{"kind", view::kind_name(explanation.frontend->kind)},
                                       {"address", explanation.frontend->address.to_string()},
                                       {"port", explanation.frontend->port},
                                       {"protocol", model::to_string(answer.question.tuple.protocol)}};
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{{"verdict", explain::outcome_name(explanation.outcome)},
                                                          {"reason", explanation.reason},
                                                          {"service", service},
                                                          {"frontend", frontend},
                                                          {"candidates", candidates},
                                                          {"backend", endpoint_json(explanation.backend)},
                                                          {"snat", endpoint_json(explanation.snat)}}));
}

void print_block(const Answer& answer) {
    const auto& explanation = answer.explanation;
    const auto& tuple = answer.question.tuple;
    auto text = [](const std::optional<plan::Backend>& endpoint) {
        return endpoint ? model::to_string(endpoint->address, endpoint->port) : std::string("-");
    };
    std::vector<std::string> candidates;
    for (const auto& candidate : explanation.candidates) candidates.push_back(text(candidate));
    auto line = [](std::string_view name, const std::string& value) { fmt::print("{:<11}{}\n", name, value); };
    line("packet",
         fmt::format("{} -> {}/{}, {}", model::to_string(tuple.source, tuple.source_port),
                     model::to_string(tuple.destination, tuple.destination_port), model::to_string(tuple.protocol),
                     answer.question.via == explain::Via::uplink     ? "from outside (uplink)"
                     : answer.question.via == explain::Via::workload ? "from a pod of this node (workload)"
                                                                     : "from a process of this node (host)"));
    line("verdict", std::string(explain::outcome_name(explanation.outcome)));
    line("reason", explanation.reason);
    line("service", explanation.service.value_or("-"));
    line("frontend", explanation.frontend
                         ? fmt::format("{} {}/{}", view::kind_name(explanation.frontend->kind),
                                       model::to_string(explanation.frontend->address, explanation.frontend->port),
                                       model::to_string(tuple.protocol))
                         : "-");
    line("candidates",
         candidates.empty() ? "-" : fmt::format("{}: {}", candidates.size(), view::shortened(candidates, 8)));
    line("backend", text(explanation.backend));
    line("snat", explanation.snat ? text(explanation.snat) : explanation.translated() ? "none" : "-");
}

}  // namespace

int run_explain(const config::Config& config, OutputFormat format, const ExplainOptions& options) {
    auto tuple = parse_question(options.source, options.destination);
    std::optional<explain::Via> via;
    if (!options.via.empty()) via = parse_via(options.via);
    if (!tuple) {
        fmt::print(stderr, "weir explain: {}\n", tuple.error());
        return 2;
    }
    auto answer = options.offline ? ask_manifests(config, *tuple, via) : ask_node(config, *tuple, via);
    if (!answer) {
        fmt::print(stderr, "weir explain: {}\n", answer.error());
        return 1;
    }
    if (format == OutputFormat::json)
        print_json(*answer);
    else
        print_block(*answer);
    return 0;
}

}  // namespace weir::cli
