// SPDX-License-Identifier: Apache-2.0
// Tells whether the maps hold what the objects say: by the times when changes came in and when they were written.
#pragma once

#include <chrono>
#include <optional>

namespace weir::serve {

class Programming {
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;

    // How long a change may wait: twice kube-proxy's default sync period, as there.
    static constexpr auto default_timeout = std::chrono::seconds(60);

    explicit Programming(Clock::duration timeout = default_timeout) : timeout_(timeout) {}

    // A change has come in. The time of the oldest one counts.
    void queued(Time now) {
        if (!waiting_since_) waiting_since_ = now;
    }
    // The maps hold everything that has come in.
    void written() {
        waiting_since_.reset();
        written_ = true;
    }

    // No change has waited for too long; also while there has not been a first one.
    bool is_live(Time now) const { return !waiting_since_ || now - *waiting_since_ < timeout_; }
    // And the maps have been written at least once.
    bool is_current(Time now) const { return written_ && is_live(now); }

private:
    Clock::duration timeout_;
    std::optional<Time> waiting_since_;
    bool written_ = false;
};

}  // namespace weir::serve
