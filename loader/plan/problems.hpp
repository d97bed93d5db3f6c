// SPDX-License-Identifier: Apache-2.0
// Messages about Services that cannot be served as asked: what is wrong and what to do about it.
#pragma once

#include <string>
#include <vector>

#include "loader/plan/claims.hpp"
#include "loader/plan/frontends.hpp"
#include "loader/plan/plan.hpp"

namespace weir::plan {

class ProblemList {
public:
    explicit ProblemList(const model::Service& service);

    void error(std::string what);
    void warning(std::string what);

    // Parts of the specification that have no effect on this node, whatever other Services do.
    void add_unserved_parts(const NodeContext& node);
    void add_conflict(const ClaimKey& key, const model::ObjectName& holder);
    void add_place_conflict(const Place& place, model::Protocol protocol, const model::ObjectName& holder);

    std::vector<model::Problem> take() { return std::move(problems_); }

private:
    void add(model::Severity severity, std::string what);
    void add_node_port_warnings(const NodeContext& node, const std::vector<model::Family>& families);
    void add_load_balancer_warnings(const std::vector<model::Family>& families);

    const model::Service& service_;
    std::vector<model::Problem> problems_;
};

// Tells whether a Service of this type has NodePorts. For other types a nodePort would open a port unasked.
bool has_node_ports(const model::Service& service);

// Why a service port is not planned at all; empty: it is.
std::string why_unplanned(const model::Service& service, const model::ServicePort& port);

}  // namespace weir::plan
