// SPDX-License-Identifier: Apache-2.0
// When are the flow tables to be swept? Told what happens and what time it is; owns no timer.
#pragma once

#include <chrono>

namespace weir::agent {

// What has gone from the maps. Sweeping deletes flows of removed UDP and SCTP backends; TCP connections stay.
enum class Removal { nothing, streams, datagrams };

class SweepSchedule {
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;

    // Flows of removed UDP and SCTP backends are swept at once; everything else can wait this long.
    static constexpr auto period = std::chrono::seconds(5);
    // Where room in the maps is short, what was removed is to be given out again sooner. A sweep costs milliseconds in
    // which nothing else runs on that CPU, so a series of changes gets one sweep and not one for each.
    static constexpr auto reuse_delay = std::chrono::milliseconds(500);

    // The periodic sweeps start; the first comes a period later.
    void begin(Time now) { next_ = now + period; }

    // When to call due() next.
    Time next() const { return next_; }

    // Answers whether the periodic sweep is due; if so, the next one is a period away.
    bool due(Time now);

    // Answers whether to sweep at once, and to look at sockets too. Otherwise next() may have come closer.
    // is_crowded: the maps have little room left.
    bool removed(Removal what, bool is_crowded, Time now);

private:
    Time next_{};
};

}  // namespace weir::agent
