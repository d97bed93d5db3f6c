// SPDX-License-Identifier: Apache-2.0
// Which rule decided? One clause for a person who knows Services and not weir.
#pragma once

#include <optional>
#include <string>

#include "loader/cli/explanation.hpp"

namespace weir::cli {

struct Decision {
    const Question& question;
    const datapath::TrialResult& result;
    const std::optional<abi::frontend>& frontend;
    const Explanation& explanation;  // all but the reason
};

std::string reason_of(const Decision& decision);

}  // namespace weir::cli
