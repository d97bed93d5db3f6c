// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/reasons.hpp"

#include <fmt/format.h>

#include "loader/view/names.hpp"
#include "maps/verdict.hpp"

namespace weir::explain {

namespace {

bool same_range(const abi::slot_range& a, const abi::slot_range& b) {
    return a.offset == b.offset && a.length == b.length;
}

std::string policy_of(const abi::frontend& frontend) {
    return frontend.kind == abi::FRONTEND_CLUSTER_IP ? "internalTrafficPolicy" : "externalTrafficPolicy";
}

// Says how the endpoint was chosen. The maps hold sets, not policies: if the two scopes have different sets, the policy
// that makes them differ is Local.
std::string set_text(const Decision& decision) {
    auto count = decision.explanation.candidates.size();
    auto endpoints = count == 1 ? std::string("the only usable endpoint")
                                : fmt::format("chosen by the connection's hash among {} usable endpoints", count);
    const auto& frontend = *decision.frontend;
    bool split = frontend.kind != abi::FRONTEND_CLUSTER_IP && !same_range(frontend.cluster, frontend.external);
    if (!split) return endpoints;
    if (decision.question.via == Via::uplink)
        return fmt::format("{} on this node (externalTrafficPolicy: Local)", endpoints);
    return fmt::format("{} of the whole cluster (externalTrafficPolicy: Local does not bind sources inside it)",
                       endpoints);
}

std::string way_text(const Decision& decision) {
    if (decision.question.via == Via::host)
        return "the node's own process is sent there when it connects, from an address of the node";
    const auto& explanation = decision.explanation;
    if (explanation.snat && explanation.backend->address == decision.question.tuple.source)
        return "a pod reaches itself, so its source is rewritten";
    bool address_kept = explanation.snat && explanation.snat->address == decision.question.tuple.source;
    if (address_kept)
        return "the source address is kept; its port is in use towards this backend, so another one is taken";
    if (explanation.snat) return "the backend is not on this node, so the source becomes an address of the node";
    return "the source address is kept";
}

std::string choice_text(const Decision& decision) {
    if (decision.result.known_flow)
        return fmt::format("known flow: it stays with the backend that it was given at its beginning; {}",
                           way_text(decision));
    if (!decision.frontend) return "translated";
    if (decision.result.by_affinity)
        return fmt::format("sessionAffinity ClientIP: the client's last new connection went there; {}",
                           way_text(decision));
    return fmt::format("{}; {}", set_text(decision), way_text(decision));
}

std::string no_local_text(const Decision& decision) {
    return fmt::format("{}: Local, and no usable endpoint on this node (there are some elsewhere)",
                       decision.frontend ? policy_of(*decision.frontend) : "traffic policy");
}

std::string closed_text(const Decision& decision) {
    if (!decision.frontend) return "a ClusterIP, which is closed to uplinks, and no port of any Service there";
    return fmt::format("closed {}: it is not offered to uplinks (datapath.externalClusterIP opens it)",
                       view::kind_name(decision.frontend->kind));
}

}  // namespace

std::string reason_of(const Decision& decision) {
    switch (decision.result.verdict) {
        case abi::VERDICT_DELIVER:
        case abi::VERDICT_FORWARD:
            return choice_text(decision);
        case abi::VERDICT_REPLY_DELIVER:
        case abi::VERDICT_REPLY_FORWARD:
            return "known flow: a backend's packet to its client, which gets the frontend's address as source";
        case abi::VERDICT_PASS_OTHER_HOOK:
            return "known flow, which another hook rewrites on its way out";
        case abi::VERDICT_PASS_NO_FRONTEND:
            return "not a frontend: no Service has this address, port and protocol";
        case abi::VERDICT_REJECT_NO_BACKEND:
            return "the Service has no ready endpoint, and none that still serves while it terminates";
        case abi::VERDICT_REJECT_NO_PORT:
            return "the address is a Service's, but no Service has this port and protocol there";
        case abi::VERDICT_DROP_NO_LOCAL_BACKEND:
            return no_local_text(decision);
        case abi::VERDICT_DROP_CLOSED_FRONTEND:
            return closed_text(decision);
        case abi::VERDICT_DROP_SOURCE_RANGE:
            return "the source is in none of the Service's loadBalancerSourceRanges";
        case abi::VERDICT_DROP_SERVICE_RANGE:
            return "the address is in the service range, and no Service has it";
        case abi::VERDICT_DROP_NO_ROUTE:
            return "the way to the backend leads nowhere: no route, or forwarding is off on the interface";
        default:
            return std::string(maps::verdict_name(decision.result.verdict).meaning);
    }
}

}  // namespace weir::explain
