// SPDX-License-Identifier: Apache-2.0
// Checks that the stack of the programs fits older kernels. A chain of calls gets 512 bytes. Before Linux 6.8 the
// verifier rounds each function's share up to 32 bytes, later to 16 (kernel/bpf/verifier.c, check_max_stack_depth), so
// an older kernel may refuse a program that loads here.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loader/datapath/skeletons.hpp"

namespace weir::test {
namespace {

constexpr std::size_t stack_bytes = 512, granule = 32;

struct Function {
    std::size_t bytes = 0;
    std::set<std::size_t> calls;  // first instructions
};

// Returns the functions by first instruction. `depths` is the verifier's, in the order of the program's functions.
std::map<std::size_t, Function> functions_of(std::span<const bpf_insn> program,
                                             const std::vector<std::size_t>& depths) {
    std::map<std::size_t, Function> functions{{0, {}}};
    std::vector<std::pair<std::size_t, std::size_t>> calls;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const bpf_insn& insn = program[at];
        bool call = insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_CALL;
        bool callback = insn.code == (BPF_LD | BPF_IMM | BPF_DW) && insn.src_reg == BPF_PSEUDO_FUNC;
        if (!call && !callback) continue;
        std::size_t target = at + 1 + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(insn.imm));
        functions.try_emplace(target);
        calls.emplace_back(at, target);
    }
    for (auto [at, target] : calls) std::prev(functions.upper_bound(at))->second.calls.insert(target);
    EXPECT_EQ(functions.size(), depths.size());
    auto depth = depths.begin();
    for (auto& [start, function] : functions)
        if (depth != depths.end()) function.bytes = *depth++;
    return functions;
}

// Returns the stack of the chain of calls that takes most.
std::size_t deepest(const std::map<std::size_t, Function>& functions, std::size_t start) {
    const Function& function = functions.at(start);
    std::size_t below = 0;
    for (std::size_t callee : function.calls) below = std::max(below, deepest(functions, callee));
    return (std::max<std::size_t>(function.bytes, 1) + granule - 1) / granule * granule + below;
}

std::vector<std::size_t> depths_of(std::string_view log) {
    constexpr std::string_view title = "stack depth ";
    std::vector<std::size_t> depths;
    std::size_t at = log.find(title);
    if (at == log.npos) return depths;
    const char* next = log.data() + at + title.size();
    const char* end = log.data() + log.size();
    for (std::size_t depth = 0;;) {
        auto [after, error] = std::from_chars(next, end, depth);
        if (error != std::errc{}) return depths;
        depths.push_back(depth);
        if (after == end || *after != '+') return depths;
        next = after + 1;
    }
}

template <class Skeleton>
class ProgramStack : public testing::Test {};
using Skeletons = testing::Types<xdp_bpf, tc_bpf, sweep_bpf, sock_bpf>;
TYPED_TEST_SUITE(ProgramStack, Skeletons);

TYPED_TEST(ProgramStack, FitsKernelsBefore6_8) {
    TypeParam* skeleton = TypeParam::open();
    ASSERT_NE(skeleton, nullptr);
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton->obj) {
        if (bpf_map__max_entries(map) > 4096) bpf_map__set_max_entries(map, 4096);
    }
    std::map<bpf_program*, std::string> logs;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
        std::string& log = logs[program];
        log.resize(1 << 16);
        bpf_program__set_log_level(program, 4);  // BPF_LOG_STATS, which no header of user space names
        bpf_program__set_log_buf(program, log.data(), log.size());
    }
    EXPECT_EQ(TypeParam::load(skeleton), 0);
    for (auto& [loaded, log] : logs) {
        auto functions = functions_of({bpf_program__insns(loaded), bpf_program__insn_cnt(loaded)}, depths_of(log));
        EXPECT_LE(deepest(functions, 0), stack_bytes) << bpf_program__name(loaded) << ": " << log.c_str();
    }
    TypeParam::destroy(skeleton);
}

}  // namespace
}  // namespace weir::test
