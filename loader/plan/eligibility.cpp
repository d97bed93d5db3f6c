// SPDX-License-Identifier: Apache-2.0
#include "loader/plan/eligibility.hpp"

#include <algorithm>

namespace weir::plan {

namespace {

struct Candidate {
    Backend backend;
    bool ready;
    bool fallback;  // drains, but still serves: better than nothing
    bool local;
    const model::Endpoint* endpoint;  // for its hints
};

void collect(const model::EndpointSlice& slice, const model::EndpointPort& port, const NodeContext& node,
             std::vector<Candidate>& out) {
    for (const auto& endpoint : slice.endpoints) {
        // The addresses of one endpoint are alternatives; like kube-proxy, take the first (EndpointSlice API).
        if (endpoint.addresses.empty() || endpoint.addresses.front().family() != slice.family) continue;
        bool fallback = endpoint.serving && endpoint.terminating;
        if (!endpoint.ready && !fallback) continue;
        out.push_back({.backend = {.address = endpoint.addresses.front(), .port = *port.port},
                       .ready = endpoint.ready,
                       .fallback = fallback,
                       .local = !node.name.empty() && endpoint.node_name == node.name,
                       .endpoint = &endpoint});
    }
}

// Sorted, each backend once. While an endpoint moves between slices both may name it: what either says in its favour
// holds.
void merge_duplicates(std::vector<Candidate>& candidates) {
    std::ranges::stable_sort(candidates, [](const auto& a, const auto& b) {
        if (a.backend != b.backend) return a.backend < b.backend;
        return a.ready && !b.ready;
    });
    auto last = candidates.begin();
    for (auto it = candidates.begin(); it != candidates.end(); ++it) {
        if (it != candidates.begin() && it->backend == last->backend) {
            last->fallback = last->fallback || it->fallback;
            last->local = last->local || it->local;
        } else {
            if (it != candidates.begin()) ++last;
            *last = *it;
        }
    }
    if (!candidates.empty()) candidates.erase(last + 1, candidates.end());
}

template <class Predicate>
BackendSet select(const std::vector<Candidate>& candidates, Predicate wanted) {
    BackendSet set;
    for (const auto& candidate : candidates) {
        if (wanted(candidate)) set.push_back(candidate.backend);
    }
    return set;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

// True where every ready endpoint has hints of this sort and at least one of them names us.
template <class Hints>
bool hints_apply(const std::vector<Candidate>& candidates, const std::string& ours, Hints hints) {
    if (ours.empty()) return false;
    bool named = false;
    for (const auto& candidate : candidates) {
        if (!candidate.ready) continue;
        const auto& names = hints(*candidate.endpoint);
        if (names.empty()) return false;
        named = named || contains(names, ours);
    }
    return named;
}

BackendSet cluster_set(const std::vector<Candidate>& candidates, const NodeContext& node) {
    auto for_nodes = [](const model::Endpoint& endpoint) -> const auto& {
        return endpoint.for_nodes;
    };
    auto for_zones = [](const model::Endpoint& endpoint) -> const auto& {
        return endpoint.for_zones;
    };
    if (hints_apply(candidates, node.name, for_nodes))
        return select(candidates, [&](const auto& c) { return c.ready && contains(c.endpoint->for_nodes, node.name); });
    if (hints_apply(candidates, node.zone, for_zones))
        return select(candidates, [&](const auto& c) { return c.ready && contains(c.endpoint->for_zones, node.zone); });
    auto ready = select(candidates, [](const auto& c) { return c.ready; });
    if (!ready.empty()) return ready;
    return select(candidates, [](const auto& c) { return c.fallback; });
}

BackendSet local_set(const std::vector<Candidate>& candidates) {
    auto ready = select(candidates, [](const auto& c) { return c.local && c.ready; });
    if (!ready.empty()) return ready;
    return select(candidates, [](const auto& c) { return c.local && c.fallback; });
}

}  // namespace

EligibleSets eligible(const std::vector<model::EndpointSlice>& slices, const model::ServicePort& port,
                      model::Family family, const NodeContext& node) {
    std::vector<Candidate> candidates;
    for (const auto& slice : slices) {
        if (slice.fqdn || slice.family != family) continue;
        for (const auto& slice_port : slice.ports) {
            if (slice_port.name == port.name && slice_port.protocol == port.protocol && slice_port.port)
                collect(slice, slice_port, node, candidates);
        }
    }
    merge_duplicates(candidates);
    return {.cluster = cluster_set(candidates, node), .local = local_set(candidates)};
}

}  // namespace weir::plan
