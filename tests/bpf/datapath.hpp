// SPDX-License-Identifier: Apache-2.0
// The real programs on private maps, run packet by packet (BPF_PROG_TEST_RUN).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "maps/abi.h"
#include "maps/fd.hpp"
#include "tests/bpf/packet.hpp"

namespace weir::test {

enum class Hook { Xdp, UplinkIngress, WorkloadIngress, Egress };
// Returns the hook under which the programs count.
abi::hook abi_hook(Hook hook);
enum class Table { Unassured, Assured };

// The programs' return values, numbered as in the kernel's headers.
enum Action : int {
    tc_unspec = -1,
    tc_shot = 2,
    tc_redirect = 7,
    xdp_drop = 1,
    xdp_pass = 2,
    xdp_tx = 3,
    xdp_redirect = 4,
};

struct Outcome {
    abi::verdict verdict = abi::VERDICT_COUNT;
    int action = 0;
    Frame frame;
};

// A flow of either family.
struct Flow {
    abi::flow flow{};
    abi::address source{}, destination{};
    // The tuple on the wire after the rewrite.
    Tuple rewritten(std::uint8_t protocol) const;
};

// Returns seconds in the datapath's unit of time.
constexpr std::uint32_t ticks(std::uint64_t seconds) {
    return static_cast<std::uint32_t>(seconds * 1'000'000'000 >> abi::TICK_SHIFT);
}

struct Settings {
    abi::datapath_config config{.seed = 1,
                                .snat_port_min = 61000,
                                .snat_port_max = 61999,
                                .timeout_unassured_tcp = ticks(60),
                                .timeout_unassured_udp = ticks(30),
                                .timeout_tcp = ticks(86400),
                                .timeout_closing = ticks(10),
                                .timeout_udp = ticks(120),
                                .fib_source = 0};
    std::uint32_t assured = 8192, unassured = 8192;  // the latter in connections: a power of two
    // Every skb carries the device's sum (CHECKSUM_COMPLETE); the kernel then fails a run that leaves the sum wrong.
    bool checksum_complete = false;
    // Flow tables that refuse entries instead of evicting: only these make the kernel fail an insertion.
    bool tables_refuse = false;
};

// The GSO fields, by which an skb stands for several packets on the wire.
struct Gso {
    std::uint32_t size = 0, segments = 0;
};

using VerdictCounts = std::array<abi::verdict_count, abi::VERDICT_COUNT>;

class Datapath {
public:
    explicit Datapath(const Settings& settings = {});
    Datapath(const Datapath&) = delete;
    Datapath& operator=(const Datapath&) = delete;
    ~Datapath();

    // Runs one packet; fails the test unless exactly one verdict counted exactly this packet, at this hook.
    Outcome run(Hook hook, const Frame& frame, int ifindex, Gso gso = {});
    // Does the same without looking at the counters.
    Outcome run_uncounted(Hook hook, const Frame& frame, int ifindex, Gso gso = {});
    // Returns whether the kernel's test runs support CHECKSUM_COMPLETE (Linux >= 6.16).
    bool can_run_complete();
    // Returns the least length that a test run takes: the kernel refuses an skb that ends within the IP header, and a
    // frame without an Ethernet header.
    static std::size_t shortest_frame(Hook hook, const Frame& frame);
    abi::sweep_result sweep();
    VerdictCounts verdicts(abi::hook hook) const;
    VerdictCounts verdicts() const;  // over all hooks

    // Returns the raw map, for the entries that the agent writes.
    int map(const std::string& name) const { return maps_.at(name).get(); }
    std::vector<std::string> map_names() const;
    void update(const std::string& map, const void* key, const void* value);

    std::optional<Flow> flow(const Tuple& tuple, Table table) const;
    std::optional<Flow> flow(const Tuple& tuple) const;  // in either table
    // Writes to the table that has the flow, or to the assured one if none has it.
    void write_flow(const Tuple& tuple, const Flow& flow);
    void erase_flow(const Tuple& tuple);
    // Makes a flow look as if its last packet came this many seconds ago.
    void age_flow(const Tuple& tuple, std::uint64_t seconds);
    // Makes an unassured connection look as if its first packet had come this many seconds earlier.
    void age_connection(const Tuple& tuple, std::uint64_t seconds);
    // Counts directions: an unassured connection counts as two.
    std::size_t count_flows(int family, Table table) const;

    // File descriptors; each program is loaded when it is first asked for.
    int program(Hook hook);
    int sweeper();

private:
    struct Objects;
    int assured_map(const Tuple& tuple) const;
    // The pair that has the tuple, the tuple's direction in it, and the pair's element of the ring.
    struct Pair {
        std::uint32_t index;
        abi::flow_pair pair;
        bool reply;
    };
    std::optional<Pair> pair_of(const Tuple& tuple) const;
    std::vector<std::pair<std::uint32_t, abi::flow_pair>> pairs() const;

    Settings settings_;
    std::map<std::string, maps::Fd> maps_;
    std::unique_ptr<Objects> objects_;
};

std::string to_string(abi::verdict verdict);
std::uint32_t now_ticks();

}  // namespace weir::test

namespace weir::abi {
void PrintTo(verdict verdict, std::ostream* out);
}
