// SPDX-License-Identifier: Apache-2.0
// Where objects come from, and how a source tells of them.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "loader/model/cluster.hpp"

namespace weir::source {

struct Report {
    std::vector<model::Change> changes;    // since the report before
    std::vector<model::Problem> problems;  // all that are in force
    // The source has told everything that exists at least once, and nothing was lost on the way. Before that, what the
    // receiver holds and no report has mentioned may exist all the same. Once true, it stays so.
    bool synced = false;
    // Another report follows at once: the changes are a part of the first reading, and problems are not known yet.
    bool more = false;
};

class Source {
public:
    using Callback = std::function<void(Report report)>;

    virtual ~Source() = default;

    // Reads everything and hands over reports, the last of them without `more`, also where nothing exists; then goes on
    // telling changes from the event loop. The error says why it cannot begin.
    virtual std::expected<void, std::string> start() = 0;
};

}  // namespace weir::source
