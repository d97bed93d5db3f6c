// SPDX-License-Identifier: Apache-2.0
// The fate of a new connection and the rule that decided: a trial's result in the words of people.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "loader/explain/trial.hpp"
#include "loader/plan/plan.hpp"

namespace weir::explain {

// The origin of a packet: an uplink, a pod of this node, the node itself.
enum class Via { uplink, workload, host };
std::string_view via_name(Via via);

// A question to the datapath; ifindex: where the packet comes in.
struct Question {
    view::Tuple tuple;
    Via via = Via::uplink;
    unsigned ifindex = 0;
};

enum class Outcome { forward, deliver, pass, drop, reject };
std::string_view outcome_name(Outcome outcome);  // "forward", as in the JSON

struct Explanation {
    Outcome outcome = Outcome::pass;
    abi::verdict verdict = abi::VERDICT_COUNT;
    std::string reason;
    // About the frontend that the packet is for, if it is for one.
    std::optional<std::string> service;  // "namespace/name:port"
    std::optional<plan::Frontend> frontend;
    bool affinity = false;                  // the frontend keeps clients with their backends
    std::vector<plan::Backend> candidates;  // what this scope chooses from; sorted
    std::optional<plan::Backend> backend;   // the chosen one
    std::optional<plan::Backend> snat;      // the address and port that take the source's place
    bool translated() const { return backend.has_value(); }
};

// The socket hooks, which serve the node's own processes, cannot be tried. They go by the same rules as packets of pods
// (scope cluster), with an address of the node as source: the kernel chooses it when the destination is known already.
std::expected<Explanation, std::string> explain(explain::Trial& trial, Question question);

}  // namespace weir::explain
