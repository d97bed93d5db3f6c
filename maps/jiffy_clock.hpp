// SPDX-License-Identifier: Apache-2.0
// The factor and the offset that turn the kernel's jiffies into CLOCK_MONOTONIC.
#pragma once

#include <cstdint>

namespace weir::maps {

// jiffies * jiffy_ns + offset_ns, modulo 2^64, is what CLOCK_MONOTONIC was one to two jiffies ago: never ahead of it,
// so that user space may subtract. jiffy_ns is 0 where jiffies do not keep up with the clock or cannot be asked.
struct JiffyClock {
    std::uint64_t jiffy_ns = 0;
    std::uint64_t offset_ns = 0;
};

// Asks the kernel; needs CAP_BPF.
JiffyClock jiffy_clock();

}  // namespace weir::maps
