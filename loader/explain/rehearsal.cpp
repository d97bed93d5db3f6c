// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/rehearsal.hpp"

#include <algorithm>

#include "loader/apply/kernel_writer.hpp"
#include "loader/net/roles.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/planner.hpp"

namespace weir::explain {

namespace {

bool contains(const std::vector<model::Address>& list, const model::Address& address) {
    return std::ranges::find(list, address) != list.end();
}

// Writes the node's addresses and its uplink as the agent does.
std::expected<void, std::string> describe_node(explain::Trial& trial, unsigned uplink, const plan::NodeContext& node) {
    apply::KernelWriter writer([&](std::string_view name) { return trial.map_fd(name); });
    abi::device device{};
    device.flags = abi::DEVICE_UPLINK;
    net::set_source_addresses(device, {}, node.addresses);
    if (auto set = writer.set_devices({{uplink, device}}); !set) return set;
    return writer.set_node_addresses(node.node_port_addresses.empty() ? node.addresses : node.node_port_addresses);
}

}  // namespace

std::vector<model::Address> local_endpoints(const model::Cluster& cluster, const plan::NodeContext& node) {
    std::vector<model::Address> out;
    for (const auto& service : cluster.services()) {
        for (const auto& slice : cluster.slices_of(service)) {
            for (const auto& endpoint : slice.endpoints) {
                if (node.name.empty() || endpoint.node_name != node.name) continue;
                for (const auto& address : endpoint.addresses) {
                    if (!contains(node.addresses, address)) out.push_back(address);
                }
            }
        }
    }
    return out;
}

std::expected<Rehearsal, std::string> Rehearsal::prepare(const datapath::Settings& settings,
                                                         const plan::NodeContext& node, model::Cluster& cluster,
                                                         std::vector<model::Address> workloads) {
    plan::Planner planner(node);
    plan::Layout layout(plan::capacity_of(settings.sizes));
    plan::MapChanges contents;
    std::vector<model::Problem> problems;
    auto note = [&](const std::vector<model::Problem>& more) {
        problems.insert(problems.end(), more.begin(), more.end());
    };
    for (const auto& service : planner.plan(cluster, cluster.take_dirty())) {
        note(service.problems);
        note(layout.update(service, contents));
    }

    for (const auto& address : local_endpoints(cluster, node)) workloads.push_back(address);
    std::erase_if(workloads, [&](const auto& address) { return contains(node.addresses, address); });
    std::ranges::sort(workloads);
    auto doubled = std::ranges::unique(workloads);
    workloads.erase(doubled.begin(), doubled.end());
    auto devices = explain::enter_sandbox({.addresses = node.addresses, .workloads = workloads});
    if (!devices) return std::unexpected(devices.error());

    auto trial = explain::Trial::of_plan(settings, contents);
    if (!trial) return std::unexpected(trial.error());
    if (auto done = describe_node(*trial, devices->uplink, node); !done) return std::unexpected(done.error());
    return Rehearsal(std::move(*trial), *devices, std::move(problems));
}

std::expected<Explanation, std::string> Rehearsal::ask(const view::Tuple& tuple, Via via) {
    return explain(trial_,
                   {.tuple = tuple, .via = via, .ifindex = via == Via::uplink ? devices_.uplink : devices_.workload});
}

}  // namespace weir::explain
