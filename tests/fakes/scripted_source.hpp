// SPDX-License-Identifier: Apache-2.0
// A source that reports what a test tells it to.
#pragma once

#include <utility>

#include "loader/source/source.hpp"

namespace weir::fakes {

class ScriptedSource : public source::Source {
public:
    // at_start: the reports of start(), in order.
    ScriptedSource(Callback callback, std::vector<source::Report> at_start)
        : callback_(std::move(callback)), at_start_(std::move(at_start)) {}

    std::expected<void, std::string> start() override {
        for (auto& report : std::exchange(at_start_, {})) callback_(std::move(report));
        return {};
    }
    void tell(source::Report report) { callback_(std::move(report)); }

private:
    Callback callback_;
    std::vector<source::Report> at_start_;
};

}  // namespace weir::fakes
