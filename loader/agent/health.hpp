// SPDX-License-Identifier: Apache-2.0
// The consumer that answers over HTTP: the agent's own health, and health checks of Services from their plans.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/plan/consumer.hpp"
#include "loader/serve/health_servers.hpp"
#include "loader/serve/node_health.hpp"
#include "loader/serve/programming.hpp"

namespace weir::agent {

class AgentHealth : public plan::Consumer {
public:
    // on_problems: problems() may have changed.
    AgentHealth(boost::asio::io_context& io, std::function<void()> on_problems);

    void listen(const std::vector<model::SocketAddress>& healthz);

    // The life of a change. adopted(): the datapath serves from an earlier agent's maps, so it counts as programmed.
    void adopted() { programming_.written(); }
    void queued() { programming_.queued(serve::Programming::Clock::now()); }
    void written();

    void set_node(const plan::NodeContext& context, const model::Node* node);
    void update(const plan::ServicePlan& plan) override;
    // Opens and closes ports.
    void sync() override;

    std::vector<model::Problem> problems() const;

private:
    serve::NodeState node_state() const;

    std::function<void()> on_problems_;
    serve::Programming programming_;
    std::optional<std::chrono::system_clock::time_point> last_written_;
    bool to_be_deleted_ = false;
    serve::HealthServers services_;
    serve::NodeHealth node_;
};

}  // namespace weir::agent
