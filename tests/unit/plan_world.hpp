// SPDX-License-Identifier: Apache-2.0
// A cluster and a planner, for tests of the plans that Services get.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "loader/plan/planner.hpp"
#include "tests/unit/plan_fixture.hpp"

namespace weir::plan::test {

class World {
public:
    explicit World(NodeContext context = node()) : node_(std::move(context)), planner_(node_) {}

    void add(model::Service service) { cluster_.apply(model::Upsert{std::move(service)}); }
    void add(model::EndpointSlice slice) { cluster_.apply(model::Upsert{std::vector{std::move(slice)}}); }
    void remove(const std::string& name) { cluster_.apply(model::Remove{model::Kind::service, {"ns", name}}); }
    Planner& planner() { return planner_; }

    // Plans the Services that need it and returns the names of those that got a plan.
    std::vector<std::string> plan() { return keep(planner_.plan(cluster_, cluster_.take_dirty())); }
    std::vector<std::string> plan_all(NodeContext context) {
        planner_.set_node(std::move(context));
        std::vector<model::ObjectName> names;
        for (const auto& service : cluster_.services()) names.push_back(service.name);
        return keep(planner_.plan(cluster_, names));
    }

    const ServicePlan& of(const std::string& name) const { return plans_.at(name); }
    std::string problems(const std::string& name) const { return text(of(name).problems); }
    // Returns "10.96.0.1:80/TCP" for every port, in order.
    std::vector<std::string> frontends(const std::string& name) const {
        std::vector<std::string> out;
        for (const auto& port : of(name).ports) {
            for (const auto& f : port.frontends)
                out.push_back(model::to_string(f.address, f.port) + "/" + std::string(model::to_string(port.protocol)));
        }
        return out;
    }
    model::Address cluster_ip(const std::string& name) const {
        for (const auto& f : of(name).ports.at(0).frontends) {
            if (f.kind == abi::FRONTEND_CLUSTER_IP) return f.address;
        }
        return {};
    }
    std::uint16_t node_port(const std::string& name) const {
        for (const auto& f : of(name).ports.at(0).frontends) {
            if (f.kind == abi::FRONTEND_NODE_PORT) return f.port;
        }
        return 0;
    }

private:
    std::vector<std::string> keep(std::vector<ServicePlan> plans) {
        std::vector<std::string> names;
        for (auto& plan : plans) {
            names.push_back(plan.service.name);
            plans_[plan.service.name] = std::move(plan);
        }
        return names;
    }

    NodeContext node_;
    model::Cluster cluster_;
    Planner planner_;
    std::map<std::string, ServicePlan> plans_;
};

inline model::Service node_port_service(const std::string& name, const std::string& ip, std::uint16_t number,
                                        model::Protocol protocol = model::Protocol::tcp) {
    auto out = service(name, ip, {port("http", 80, protocol, number)});
    out.type = model::ServiceType::node_port;
    return out;
}

}  // namespace weir::plan::test
