// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/explanation.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "loader/explain/reasons.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/view/names.hpp"
#include "loader/view/node_view.hpp"
#include "maps/pins.hpp"

namespace weir::explain {

namespace {

using explain::Trial;
using view::Tuple;

Outcome outcome_of(abi::verdict verdict) {
    switch (abi::group_of_verdict(verdict)) {
        case abi::GROUP_UNTOUCHED:
            return Outcome::pass;
        case abi::GROUP_REWRITTEN: {
            bool sent_on = verdict == abi::VERDICT_FORWARD || verdict == abi::VERDICT_REPLY_FORWARD;
            return sent_on ? Outcome::forward : Outcome::deliver;
        }
        case abi::GROUP_ANSWERED:
            return Outcome::reject;
        case abi::GROUP_DROPPED:
            break;
    }
    return Outcome::drop;
}

model::Address node_address(const Trial& trial, model::Family family) {
    auto runtime = trial.view<maps::RuntimeMap>("runtime").lookup(0).value_or(abi::runtime{});
    if (family == model::Family::ipv4) return model::Address::from_ipv4_be(runtime.node4_be);
    return model::address_of(runtime.node6);
}

std::optional<abi::frontend> find_frontend(const Trial& trial, const Tuple& tuple) {
    return trial.view<maps::FrontendMap>("frontends")
        .lookup({.address = model::abi_address(tuple.destination),
                 .port_be = htons(tuple.destination_port),
                 .protocol = static_cast<std::uint8_t>(tuple.protocol),
                 .pad = 0});
}

// Turns the packet of a process on the node into the tuple that the socket hooks see.
void take_node_view(const Trial& trial, Tuple& tuple) {
    auto node = node_address(trial, tuple.destination.family());
    if (node.is_unspecified() || node == model::Address::from_ipv4(0)) return;
    if (tuple.destination.is_loopback()) {
        // The socket hooks also serve NodePorts on the loopback addresses, for processes of the node alone.
        auto at_node = tuple;
        at_node.destination = node;
        auto frontend = find_frontend(trial, at_node);
        if (frontend && frontend->kind == abi::FRONTEND_NODE_PORT) tuple = at_node;
    }
    // A process that connects from loopback or from the frontend's own address is a client on the node all the same.
    if (tuple.source == tuple.destination || tuple.source.is_loopback()) tuple.source = node;
}

std::expected<std::vector<plan::Backend>, std::string> backends_of(const Trial& trial, const abi::slot_range& range) {
    auto shares = view::slot_shares(trial.view<maps::SlotMap>("slots"), range);
    if (!shares) return std::unexpected(shares.error());
    auto backends = trial.view<maps::BackendMap>("backends");
    std::vector<plan::Backend> out;
    for (const auto& [id, share] : *shares) {
        if (auto backend = backends.lookup(id))
            out.push_back({model::address_of(backend->address), ntohs(backend->port_be)});
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace

std::string_view via_name(Via via) {
    switch (via) {
        case Via::uplink:
            return "uplink";
        case Via::workload:
            return "workload";
        case Via::host:
            return "host";
    }
    return "unknown";
}

std::string_view outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::forward:
            return "forward";
        case Outcome::deliver:
            return "deliver";
        case Outcome::pass:
            return "pass";
        case Outcome::drop:
            return "drop";
        case Outcome::reject:
            return "reject";
    }
    return "unknown";
}

std::expected<Explanation, std::string> explain(Trial& trial, Question question) {
    bool host = question.via == Via::host;
    auto& tuple = question.tuple;
    if (host) take_node_view(trial, tuple);
    auto result = trial.run(tuple, question.via == Via::uplink ? explain::Ingress::uplink : explain::Ingress::workload,
                            question.ifindex);
    if (!result) return std::unexpected(result.error());

    Explanation out;
    out.verdict = result->verdict;
    out.outcome = outcome_of(result->verdict);
    auto found = find_frontend(trial, tuple);
    if (found) {
        auto name = trial.view<maps::ServiceMap>("services").lookup(found->service_id);
        out.service = name ? view::service_text(*name) : "-";
        out.frontend = plan::Frontend{.kind = static_cast<abi::frontend_kind>(found->kind),
                                      .address = tuple.destination,
                                      .port = tuple.destination_port,
                                      .cluster = {},
                                      .external = {}};
        out.affinity = found->flags & abi::FRONTEND_AFFINITY;
        auto candidates = backends_of(trial, question.via == Via::uplink ? found->external : found->cluster);
        if (!candidates) return std::unexpected(candidates.error());
        out.candidates = std::move(*candidates);
    }
    if (out.outcome == Outcome::forward || out.outcome == Outcome::deliver) {
        const auto& leaves = result->leaves;
        out.backend = plan::Backend{leaves.destination, leaves.destination_port};
        bool rewritten = leaves.source != tuple.source || leaves.source_port != tuple.source_port;
        // No packet of the node itself is rewritten: its source is chosen after its destination was.
        if (rewritten && !host) out.snat = plan::Backend{leaves.source, leaves.source_port};
    }
    out.reason = reason_of({.question = question, .result = *result, .frontend = found, .explanation = out});
    return out;
}

}  // namespace weir::explain
