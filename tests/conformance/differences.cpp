// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/differences.hpp"

#include <algorithm>
#include <array>

namespace weir::conformance {

namespace {

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

bool is_cluster_ip(const Situation& s) {
    return std::ranges::any_of(s.cluster.services(), [&](const auto& service) {
        return !service.headless && !service.other_proxy && contains(service.cluster_ips, s.flow.tuple.destination);
    });
}

bool is_on_node(const Situation& s, const model::Address& address) {
    if (contains(s.of.node.addresses, address)) return true;
    for (const auto& service : s.cluster.services()) {
        for (const auto& slice : s.cluster.slices_of(service)) {
            for (const auto& endpoint : slice.endpoints) {
                if (endpoint.node_name == s.of.node.name && contains(endpoint.addresses, address)) return true;
            }
        }
    }
    return false;
}

bool is_hairpin(const Situation& s, const plan::Backend& backend) {
    return backend.address == s.flow.tuple.source;
}

// A difference in the verdict, or in what happens to the source.
struct Difference {
    std::string_view name;
    std::string_view reason;
    bool (*verdict)(const Situation&);                       // kube-proxy's verdict is replaced by a drop
    bool (*source)(const Situation&, const plan::Backend&);  // kube-proxy's masquerade is replaced...
    std::optional<bool> masquerade;                          // ...by this; none: not compared
};

// All deliberate differences. The first entry whose condition holds applies.
constexpr std::array<Difference, 4> differences{{
    {.name = "external source to a ClusterIP",
     .reason = "ClusterIPs are for the cluster; kube-proxy lets everybody in who has a route to a node "
               "(datapath.externalClusterIP: true does the same). Unused ports are not answered there either",
     .verdict = [](const Situation& s) { return s.flow.from == From::external && is_cluster_ip(s); },
     .source = nullptr,
     .masquerade = {}},
    {.name = "external source to a backend on this node",
     .reason =
         "the reply comes through this node anyway, so the backend may see its client's address; kube-proxy hides "
         "it whenever the policy is Cluster",
     .verdict = nullptr,
     .source =
         [](const Situation& s, const plan::Backend& backend) {
             return s.flow.from == From::external && is_on_node(s, backend.address);
         },
     .masquerade = false},
    {.name = "pod to NodePort, ExternalIP or LoadBalancer IP",
     .reason = "the reply comes back to this node, where the pod is: it is translated on its way to the pod",
     .verdict = nullptr,
     .source = [](const Situation& s,
                  const plan::Backend& backend) { return s.flow.from == From::pod && !is_hairpin(s, backend); },
     .masquerade = false},
    {.name = "process of the node",
     .reason = "socket hooks choose the backend at connect(), before the kernel chooses a source: it is the node's own "
               "address on the way to the backend, and no packet is rewritten",
     .verdict = nullptr,
     .source = [](const Situation& s, const plan::Backend&) { return s.flow.from == From::node; },
     .masquerade = {}},
}};

}  // namespace

Wanted wanted_outcome(const Situation& situation) {
    for (const auto& difference : differences) {
        if (difference.verdict && situation.flow.outcome != explain::Outcome::drop && difference.verdict(situation))
            return {.outcome = explain::Outcome::drop, .difference = difference.name};
    }
    return {.outcome = situation.flow.outcome, .difference = {}};
}

std::optional<bool> wanted_masquerade(const Situation& situation, const plan::Backend& backend) {
    if (!situation.flow.masquerade) return std::nullopt;
    for (const auto& difference : differences) {
        if (difference.source && difference.source(situation, backend)) return difference.masquerade;
    }
    // A flow's key applies to all its backends; only the backend that is the client itself needs the masquerade.
    if (situation.flow.from == From::pod && is_hairpin(situation, backend) && situation.flow.backends.size() > 1)
        return true;
    return situation.flow.masquerade;
}

}  // namespace weir::conformance
