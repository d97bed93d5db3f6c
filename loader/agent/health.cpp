// SPDX-License-Identifier: Apache-2.0
#include "loader/agent/health.hpp"

namespace weir::agent {

using serve::Programming;

AgentHealth::AgentHealth(boost::asio::io_context& io, std::function<void()> on_problems)
    : on_problems_(std::move(on_problems)),
      // As in kube-proxy, a node that is being deleted changes only /healthz, not these answers.
      services_(
          io, [this] { return programming_.is_current(Programming::Clock::now()); }, on_problems_),
      node_(
          io, [this] { return node_state(); }, on_problems_) {}

void AgentHealth::listen(const std::vector<model::SocketAddress>& healthz) {
    node_.listen(healthz);
    on_problems_();
}

void AgentHealth::written() {
    programming_.written();
    last_written_ = std::chrono::system_clock::now();
}

void AgentHealth::set_node(const plan::NodeContext& context, const model::Node* node) {
    to_be_deleted_ = node && node->to_be_deleted;
    services_.set_addresses(context.node_port_addresses);
}

void AgentHealth::update(const plan::ServicePlan& plan) {
    if (plan.health_check)
        services_.set(plan.service, {.port = plan.health_check->port,
                                     .local_endpoints = plan.health_check->local_endpoints,
                                     .origin = plan.origin});
    else
        services_.remove(plan.service);
}

void AgentHealth::sync() {
    if (services_.sync()) on_problems_();
}

std::vector<model::Problem> AgentHealth::problems() const {
    auto problems = node_.problems();
    auto of_services = services_.problems();
    problems.insert(problems.end(), of_services.begin(), of_services.end());
    return problems;
}

serve::NodeState AgentHealth::node_state() const {
    auto now = Programming::Clock::now();
    return {.current = programming_.is_current(now),
            .live = programming_.is_live(now),
            .to_be_deleted = to_be_deleted_,
            .last_written = last_written_};
}

}  // namespace weir::agent
