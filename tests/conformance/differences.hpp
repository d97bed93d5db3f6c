// SPDX-License-Identifier: Apache-2.0
// Where weir does deliberately what the cases' source, kube-proxy, does not. Documented in
// docs/reference/differences.md.
#pragma once

#include <optional>
#include <string_view>

#include "loader/model/cluster.hpp"
#include "tests/conformance/case.hpp"

namespace weir::conformance {

// The facts that a difference may depend on.
struct Situation {
    const Case& of;
    const model::Cluster& cluster;
    const Flow& flow;
};

struct Wanted {
    explain::Outcome outcome;
    std::string_view difference;  // the name of the one that changed it; empty: none
};
// The expected fate of the flow: deliver, where one of its backends is to get it.
Wanted wanted_outcome(const Situation& situation);

// Whether the source is to be rewritten on the way to this backend; none: not compared.
std::optional<bool> wanted_masquerade(const Situation& situation, const plan::Backend& backend);

}  // namespace weir::conformance
