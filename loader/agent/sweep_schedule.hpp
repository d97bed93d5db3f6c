// SPDX-License-Identifier: Apache-2.0
// The rules for when to sweep the flow tables. The caller passes in the events and the time; there is no timer here.
#pragma once

#include <chrono>

namespace weir::agent {

// The kind of backends removed from the maps. A sweep deletes flows of removed UDP and SCTP backends, not those of TCP.
enum class Removal { nothing, streams, datagrams };

class SweepSchedule {
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;

    // Flows of removed UDP and SCTP backends are swept at once; everything else can wait this long.
    static constexpr auto period = std::chrono::seconds(5);
    // When the maps are nearly full, the room of removed entries is needed again sooner. A sweep takes milliseconds in
    // which nothing else runs on its CPU, so a series of changes gets one sweep and not one for each.
    static constexpr auto reuse_delay = std::chrono::milliseconds(500);

    // Starts the periodic sweeps; the first comes a period later.
    void begin(Time now) { next_ = now + period; }

    // When to call due() next.
    Time next() const { return next_; }

    // Returns whether the periodic sweep is due; if so, the next one is a period away.
    bool due(Time now);

    // Returns whether to sweep at once, sockets included. If false, next() may have moved closer.
    // is_crowded: the maps have little room left.
    bool removed(Removal what, bool is_crowded, Time now);

private:
    Time next_{};
};

}  // namespace weir::agent
