// SPDX-License-Identifier: Apache-2.0
#include "maps/jiffy_clock.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>

#include "maps/fd.hpp"

namespace weir::maps {

namespace {

struct Reading {
    std::uint64_t jiffies = 0;
    std::uint64_t monotonic_ns = 0;
};

constexpr bpf_insn call(std::int32_t helper) {
    return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = helper};
}

constexpr bpf_insn store_result(std::int16_t offset) {
    return {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_0, .off = offset, .imm = 0};
}

// *ctx = {bpf_jiffies64(), bpf_ktime_get_ns()}
constexpr std::array<bpf_insn, 7> read_clocks = {{
    {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1, .off = 0, .imm = 0},
    call(BPF_FUNC_jiffies64),
    store_result(offsetof(Reading, jiffies)),
    call(BPF_FUNC_ktime_get_ns),
    store_result(offsetof(Reading, monotonic_ns)),
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
}};

}  // namespace

JiffyClock jiffy_clock() {
    // The coarse clock moves once a jiffy.
    timespec jiffy{};
    if (::clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy) != 0 || jiffy.tv_sec != 0 || jiffy.tv_nsec <= 0) return {};
    auto jiffy_ns = static_cast<std::uint64_t>(jiffy.tv_nsec);

    LIBBPF_OPTS(bpf_prog_load_opts, load, .prog_flags = BPF_F_SLEEPABLE);
    Fd program(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "weir_clocks", "Dual BSD/GPL", read_clocks.data(),
                             read_clocks.size(), &load));
    if (!program) return {};
    // Jiffies begin five minutes before their lower half wraps (INITIAL_JIFFIES, include/linux/jiffies.h). Those that
    // have not kept up with the clock, as with lost ticks on old timers, will not do so later.
    constexpr std::uint64_t early_seconds = 300, most_ns_apart = 10'000'000'000;
    std::uint64_t first = (1ull << 32) - early_seconds * 1'000'000'000 / jiffy_ns;
    std::uint64_t least = UINT64_MAX;
    // A reading comes up to a jiffy after jiffies were counted, and later on a machine that is busy.
    for (int i = 0; i < 16; ++i) {
        Reading now;
        LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &now, .ctx_size_in = sizeof(now));
        if (bpf_prog_test_run_opts(program.get(), &run) < 0) return {};
        least = std::min(least, now.monotonic_ns - (now.jiffies - first) * jiffy_ns + most_ns_apart);
    }
    if (least > 2 * most_ns_apart) return {};
    return {jiffy_ns, least - most_ns_apart - first * jiffy_ns - jiffy_ns};
}

}  // namespace weir::maps
