// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/runner.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "loader/config/node_context.hpp"
#include "loader/explain/rehearsal.hpp"
#include "tests/conformance/differences.hpp"

namespace weir::conformance {

namespace {

using explain::Explanation;
using explain::Outcome;
using explain::Via;

// Source ports for each backend that a flow may reach. With 64 n of them, a uniform choice misses one of n backends
// with a probability of e^-64.
constexpr std::size_t ports_per_backend = 64;
// At least this many ports per backend are tried even if all were seen, to find a backend that must not be chosen.
constexpr std::size_t least_ports_per_backend = 16;
constexpr std::size_t ports_for_a_verdict = 4;
constexpr std::uint16_t first_port = 10000;

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

Via via_of(From from) {
    switch (from) {
        case From::pod:
            return Via::workload;
        case From::node:
            return Via::host;
        case From::external:
            return Via::uplink;
    }
    return Via::uplink;
}

std::string text(const std::vector<plan::Backend>& backends) {
    std::vector<std::string> out;
    for (const auto& backend : backends) out.push_back(model::to_string(backend.address, backend.port));
    return out.empty() ? "none" : fmt::format("{}", fmt::join(out, ", "));
}

std::string wanted_text(Outcome outcome, const Flow& flow) {
    return outcome == Outcome::deliver ? text(flow.backends) : std::string(explain::outcome_name(outcome));
}

std::string got_text(const Explanation& got) {
    auto to = got.backend ? " to " + model::to_string(got.backend->address, got.backend->port) : std::string();
    return fmt::format("{}{} ({})", explain::outcome_name(got.outcome), to, got.reason);
}

config::Config config_of(const Node& node) {
    config::Config config;
    config.node = node.name;
    config.service_cidrs = node.service_cidrs;
    config.node_port_addresses = node.node_port_addresses;
    config.datapath.sizes = datapath::resolve_sizes(config.datapath.sizes, 0);
    config.datapath.service_ranges = node.service_cidrs;
    return config;
}

// Returns the Node object. Its InternalIPs serve NodePorts: the first address of each family.
model::Node object_of(const Node& node) {
    model::Node object;
    object.name.name = node.name;
    object.zone = node.zone;
    object.pod_cidrs = node.pod_cidrs;
    std::set<model::Family> main;
    for (const auto& address : node.addresses) {
        if (address.is_loopback()) continue;
        (main.insert(address.family()).second ? object.internal_ips : object.external_ips).push_back(address);
    }
    return object;
}

class Judge {
public:
    Judge(explain::Rehearsal& rehearsal, const Situation& situation) : rehearsal_(rehearsal), s_(situation) {}

    Judgement judge() {
        auto wanted = wanted_outcome(s_);
        Judgement out{.flow = s_.flow.name, .failure = {}, .difference = std::string(wanted.difference)};
        out.failure = wanted.outcome == Outcome::deliver ? judge_backends() : judge_verdict(wanted.outcome);
        return out;
    }

private:
    std::expected<Explanation, std::string> ask(std::size_t n) {
        auto tuple = s_.flow.tuple;
        tuple.source_port = static_cast<std::uint16_t>(first_port + n % 50000);
        return rehearsal_.ask(tuple, via_of(s_.flow.from));
    }

    std::string judge_verdict(Outcome wanted) {
        for (std::size_t i = 0; i < ports_for_a_verdict; ++i) {
            rehearsal_.forget();
            auto got = ask(i);
            if (!got) return got.error();
            if (got->outcome != wanted)
                return fmt::format("expected {}, got {}", wanted_text(wanted, s_.flow), got_text(*got));
        }
        return {};
    }

    std::string judge_backends() {
        const auto& wanted = s_.flow.backends;
        std::set<plan::Backend> seen;
        bool affinity = false;
        for (std::size_t i = 0; i < ports_per_backend * wanted.size(); ++i) {
            if (seen.size() == wanted.size() && i >= least_ports_per_backend * wanted.size()) break;
            // Each port is a new client, so the programs must forget the one before.
            rehearsal_.forget();
            auto got = ask(i);
            if (!got) return got.error();
            if (!got->backend || !contains(wanted, *got->backend))
                return fmt::format("expected {}, got {}", text(wanted), got_text(*got));
            if (got->candidates != wanted)
                return fmt::format("expected {}, but the choice is among {}", text(wanted), text(got->candidates));
            if (auto wrong = judge_source(*got); !wrong.empty()) return wrong;
            seen.insert(*got->backend);
            affinity = got->affinity;
        }
        std::vector<plan::Backend> missing;
        std::ranges::set_difference(wanted, seen, std::back_inserter(missing));
        if (!missing.empty())
            return fmt::format("{} not reached from {} source ports", text(missing), ports_per_backend * wanted.size());
        return affinity ? judge_affinity() : std::string();
    }

    std::string judge_source(const Explanation& got) {
        auto wanted = wanted_masquerade(s_, *got.backend);
        if (!wanted) return {};
        auto to = model::to_string(got.backend->address, got.backend->port);
        if (!*wanted && got.snat)
            return fmt::format("expected the source to be kept on the way to {}, got {} in its place", to,
                               model::to_string(got.snat->address, got.snat->port));
        if (*wanted && !got.snat)
            return fmt::format("expected the source to be rewritten on the way to {}; it is kept", to);
        if (*wanted && !contains(s_.of.node.addresses, got.snat->address))
            return fmt::format("the source becomes {}, which is not the node's", got.snat->address.to_string());
        return {};
    }

    // Checks that a remembered client stays at its backend, from any port.
    std::string judge_affinity() {
        rehearsal_.forget();
        std::optional<plan::Backend> first;
        for (std::size_t i = 0; i < least_ports_per_backend; ++i) {
            auto got = ask(i);
            if (!got) return got.error();
            if (first && got->backend != first)
                return fmt::format("sessionAffinity: went to {} before, got {}", text({*first}), got_text(*got));
            first = got->backend;
        }
        return {};
    }

    explain::Rehearsal& rehearsal_;
    const Situation& s_;
};

}  // namespace

std::vector<Judgement> run_case(const Case& of) {
    model::Cluster cluster;
    for (const auto& object : of.objects) cluster.apply(model::Upsert{object});
    cluster.apply(model::Upsert{object_of(of.node)});
    auto config = config_of(of.node);
    std::vector<model::Address> pods;
    for (const auto& flow : of.flows) {
        if (flow.from == From::pod) pods.push_back(flow.tuple.source);
    }
    auto rehearsal =
        explain::Rehearsal::prepare(config.datapath, config::node_context(config, cluster), cluster, std::move(pods));
    std::vector<Judgement> out;
    for (const auto& flow : of.flows) {
        if (rehearsal)
            out.push_back(Judge(*rehearsal, {.of = of, .cluster = cluster, .flow = flow}).judge());
        else
            out.push_back({.flow = flow.name, .failure = rehearsal.error(), .difference = {}});
    }
    return out;
}

}  // namespace weir::conformance
