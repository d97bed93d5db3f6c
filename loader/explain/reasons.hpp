// SPDX-License-Identifier: Apache-2.0
// The rule that decided, as one clause for a person who knows Services and not weir.
#pragma once

#include <optional>
#include <string>

#include "loader/explain/explanation.hpp"

namespace weir::explain {

struct Decision {
    const Question& question;
    const explain::TrialResult& result;
    const std::optional<abi::frontend>& frontend;
    const Explanation& explanation;  // all but the reason
};

std::string reason_of(const Decision& decision);

}  // namespace weir::explain
