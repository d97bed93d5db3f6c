// SPDX-License-Identifier: Apache-2.0
// An object's way through the agent, without the agent: cluster, planner, layout and private maps of default sizes.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loader/apply/kernel_writer.hpp"
#include "loader/decode/decode.hpp"
#include "loader/plan/layout.hpp"
#include "loader/plan/planner.hpp"
#include "maps/fd.hpp"

namespace weir::bench {

struct Size {
    std::string name;
    std::uint32_t services = 0;
    std::uint32_t endpoints = 0;  // of each service, at most 64: one EndpointSlice
};

// Measures, by default, the CPU time of this process: other work on the machine does not count.
class Stopwatch {
public:
    explicit Stopwatch(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) : clock_(clock) { restart(); }
    void restart() { start_ = now(); }
    double microseconds() const { return now() - start_; }

private:
    double now() const {
        timespec time{};
        ::clock_gettime(clock_, &time);
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
    }
    clockid_t clock_;
    double start_ = 0;
};

// Services and EndpointSlices as an API server writes them.
std::string manifests(const Size& size, decode::Format format);
// The slice of one service; less: without its last endpoint.
model::Object slice_of(const Size& size, std::uint32_t service, bool less);

std::uint64_t resident_kib();

class ControlPlane {
public:
    ControlPlane();
    std::vector<plan::ServicePlan> plan();
    // Throws std::runtime_error with the reason if the maps cannot serve everything.
    void program(const std::vector<plan::ServicePlan>& plans);
    void grace_period_passed() { layout_->grace_period_passed(); }
    // Returns the memory that the kernel charges for the maps now.
    std::uint64_t map_octets() const;
    // Returns how many calls have written to maps since this process started.
    static std::uint64_t bpf_calls();

    model::Cluster cluster;

private:
    std::map<std::string, maps::Fd, std::less<>> maps_;
    std::unique_ptr<plan::Planner> planner_;
    std::unique_ptr<plan::Layout> layout_;
    std::unique_ptr<apply::KernelWriter> writer_;
};

}  // namespace weir::bench
