// SPDX-License-Identifier: Apache-2.0
// The deliberate differences between weir and kube-proxy, from which the cases come. Documented in
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
// Returns the expected outcome of the flow: deliver if one of its backends should get it.
Wanted wanted_outcome(const Situation& situation);

// Returns whether the source should be rewritten on the way to this backend; none: not compared.
std::optional<bool> wanted_masquerade(const Situation& situation, const plan::Backend& backend);

}  // namespace weir::conformance
