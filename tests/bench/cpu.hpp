// SPDX-License-Identifier: Apache-2.0
// The CPU that a benchmark's program runs on, and the load of the machine.
#pragma once

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

namespace weir::bench {

inline void pin_to_cpu(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set)) throw std::runtime_error(fmt::format("no CPU {}", cpu));
}

// Returns the CPU time of the calling thread.
inline double thread_cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Returns the time since boot that all CPUs together did not spend idle.
inline double busy_cpu_seconds() {
    std::ifstream file("/proc/stat");
    std::string label;
    long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    if (!(file >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq))
        throw std::runtime_error("/proc/stat cannot be read");
    return static_cast<double>(user + nice + system + irq + softirq) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace weir::bench
