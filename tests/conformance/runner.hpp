// SPDX-License-Identifier: Apache-2.0
// Drives the flows of a case through the real programs and compares.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/case.hpp"

namespace weir::conformance {

struct Judgement {
    std::string flow;
    std::string failure;     // empty: passed
    std::string difference;  // the deliberate one by which it was judged, if the verdict is concerned
};

// One judgement for each flow; a case that cannot be set up fails all of its flows. Moves the process into a network
// namespace of the case.
std::vector<Judgement> run_case(const Case& of);

}  // namespace weir::conformance
