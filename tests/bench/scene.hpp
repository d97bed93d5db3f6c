// SPDX-License-Identifier: Apache-2.0
// One case of the benchmark: a datapath with the flows of the case in its tables, and the wrapper that feeds it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/bpf/datapath.hpp"
#include "tests/bpf/node.hpp"
#include "tests/bpf/tables.hpp"

struct wrapper_bpf;

namespace weir::bench {

enum class Kind { Established, Reply, NewFlow, NotOurs, Refused };

struct CaseOf {
    Kind kind;
    int family;
    std::uint32_t flows;  // a power of two; NewFlow, Refused: all that 32 bits can tell apart
    test::Hook hook;      // Xdp, UplinkIngress; WorkloadIngress: a pod is the client, so there is no SNAT
    std::string name() const;
    std::string_view program() const;
    abi::verdict expected() const;
};

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
