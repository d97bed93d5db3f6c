// SPDX-License-Identifier: Apache-2.0
// One case of the benchmark: a datapath with the flows of the case in its tables, and the wrapper that feeds it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/bpf/datapath.hpp"
#include "tests/bpf/node.hpp"
#include "tests/bpf/tables.hpp"

struct wrapper_bpf;

namespace weir::bench {

// Crowded: a new flow to one of two backends, whose source ports are all held by flows without an answer. Rejected: to
// a Service without endpoints; nearly all exceed the budget of answers per second, and the program drops them.
enum class Kind { Established, Reply, NewFlow, Crowded, NotOurs, Refused, Rejected };

struct CaseOf {
    Kind kind;
    int family;
    std::uint32_t flows;  // a power of two; where each packet is another flow, all that 32 bits can tell apart
    test::Hook hook;      // Xdp, UplinkIngress; WorkloadIngress: a pod is the client, so there is no SNAT
    std::string name() const;
    std::string_view program() const;
    std::vector<abi::verdict> expected() const;
    bool is_first_packet() const { return kind == Kind::NewFlow || kind == Kind::Crowded; }
};

// Flows of the cases that have one size; and the most that a case has, unless each packet is another flow.
inline constexpr std::uint32_t flows_of_one_size = 1u << 10, most_flows = 1u << 20;

// Returns every program with every kind of packet, in both families.
std::vector<CaseOf> all_cases();

struct Measurement {
    double nanoseconds = 0;     // per packet, of CPU time
    std::uint64_t on_path = 0;  // packets that got the verdict of the case
};

class Scene {
public:
    explicit Scene(const CaseOf& which);
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    ~Scene();

    Measurement run_null(std::uint32_t packets) { return run(null_fd_, packets); }
    Measurement run_weir(std::uint32_t packets) { return run(weir_fd_, packets); }
    int program() const { return weir_fd_; }

private:
    test::Packet packet(std::uint32_t flow, int flags) const;
    void establish();
    Measurement run(int program_fd, std::uint32_t packets);

    CaseOf which_;
    test::Datapath datapath_;
    wrapper_bpf* wrapper_ = nullptr;
    test::Frame frame_;  // what the kernel starts from; the wrapper writes its headers anew each time
    int null_fd_ = -1, weir_fd_ = -1, wrapper_fd_ = -1, under_test_fd_ = -1;
};

}  // namespace weir::bench
