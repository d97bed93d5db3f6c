// SPDX-License-Identifier: Apache-2.0
// One case: a node, the objects that it knows, and flows with what a Service proxy does to them. The format is
// described in tests/conformance/cases/README.md.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "loader/explain/explanation.hpp"
#include "loader/model/cluster.hpp"

namespace weir::conformance {

enum class From { pod, node, external };

struct Flow {
    std::string name;
    From from = From::pod;
    view::Tuple tuple;  // the source port is the runner's
    // deliver stands for "to one of these backends", however it gets there.
    explain::Outcome outcome = explain::Outcome::deliver;
    std::vector<plan::Backend> backends;  // sorted
    std::optional<bool> masquerade;
};

struct Node {
    std::string name;
    std::string zone;
    std::vector<model::Address> addresses;
    std::vector<model::Cidr> node_port_addresses;  // empty: the first address of each family
    std::vector<model::Cidr> pod_cidrs;
    std::vector<model::Cidr> service_cidrs;
};

struct Case {
    std::string file;
    std::string name;
    Node node;
    std::vector<model::Object> objects;
    std::vector<Flow> flows;
};

// Reports every deviation from the format as an error, with its line: a key that is not read would be an untested
// rule.
std::expected<Case, std::string> read_case(const std::string& file);

}  // namespace weir::conformance
