// SPDX-License-Identifier: Apache-2.0
// healthCheckNodePort: tells a load balancer whether this node has endpoints of a Service with externalTrafficPolicy
// Local, in kube-proxy's words.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "loader/model/objects.hpp"
#include "loader/serve/listeners.hpp"

namespace weir::serve {

struct HealthCheck {
    std::uint16_t port = 0;
    std::uint32_t local_endpoints = 0;  // ready ones on this node
    model::Origin origin = {};          // of the Service, for messages
};

class HealthServers {
public:
    // is_proxy_healthy: asked with every request. on_problems: problems() has changed by itself.
    HealthServers(boost::asio::io_context& io, std::function<bool()> is_proxy_healthy,
                  std::function<void()> on_problems, ServeLimits limits = {});

    // These take effect with the next sync(), so that Services can trade ports within one change.
    void set_addresses(std::vector<model::Address> addresses);
    void set(const model::ObjectName& service, HealthCheck check);
    void remove(const model::ObjectName& service);

    // Opens and closes ports. A port that stays open keeps its connections. False: there was nothing to do, and
    // problems() is as before.
    bool sync();

    // Ports that cannot be opened, or that two Services name: the first in name order has it.
    std::vector<model::Problem> problems() const;

private:
    using Checks = std::map<model::ObjectName, HealthCheck>;

    Response answer(std::uint16_t port) const;
    void add_failures(std::vector<model::Problem>& problems) const;

    std::function<bool()> is_proxy_healthy_;
    std::vector<model::Address> addresses_;
    Checks checks_;
    std::map<std::uint16_t, model::ObjectName> service_of_port_;
    bool changed_ = false;  // addresses or ports; endpoints come and go more often
    Listeners listeners_;
};

}  // namespace weir::serve
