// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/datapath.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "loader/datapath/skeletons.hpp"
#include "maps/jiffy_clock.hpp"
#include "maps/table.hpp"
#include "maps/verdict.hpp"

namespace weir::test {

namespace {

constexpr std::uint32_t test_checksum_complete = 1
                                                 << 2;  // BPF_F_TEST_SKB_CHECKSUM_COMPLETE, not in Debian 12's headers

template <class T>
struct Destroy {
    void operator()(T* skeleton) const { T::destroy(skeleton); }
};
template <class T>
using Skeleton = std::unique_ptr<T, Destroy<T>>;

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

maps::MapSizes sizes_of(const Settings& settings) {
    maps::MapSizes sizes;
    for (const auto& setting : maps::size_settings) sizes.*setting.value = 4096 * setting.per_entry;
    sizes.flows_assured = sizes.flows_assured_udp = settings.assured;
    sizes.unassured = settings.unassured;
    return sizes;
}

maps::Fd create_map(const Settings& settings, const bpf_map* map, std::uint32_t entries) {
    std::string name = bpf_map__name(map);
    bpf_map_type type = bpf_map__type(map);
    if (settings.tables_refuse && type == BPF_MAP_TYPE_LRU_HASH) type = BPF_MAP_TYPE_HASH;
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(map));
    int fd = bpf_map_create(type, name.c_str(), bpf_map__key_size(map), bpf_map__value_size(map), entries, &options);
    if (fd < 0) fail("map " + name);
    return maps::Fd(fd);
}

abi::flow4_key key4_of(const Tuple& tuple) {
    return {.source_be = tuple.source.address.words_be[3],
            .destination_be = tuple.destination.address.words_be[3],
            .source_port_be = htons(tuple.source.port),
            .destination_port_be = htons(tuple.destination.port),
            .protocol = tuple.protocol,
            .pad = {}};
}

abi::flow6_key key6_of(const Tuple& tuple) {
    return {.source = tuple.source.address,
            .destination = tuple.destination.address,
            .source_port_be = htons(tuple.source.port),
            .destination_port_be = htons(tuple.destination.port),
            .protocol = tuple.protocol,
            .pad = {}};
}

}  // namespace

// Loads each program when it is first used: verifying three tc programs takes a fifth of a second.
struct Datapath::Objects {
    Skeleton<xdp_bpf> xdp;
    std::map<Hook, Skeleton<tc_bpf>> tc;
    Skeleton<sweep_bpf> sweep;

    template <class T>
    static T& open(Skeleton<T>& skeleton, const Datapath& datapath) {
        skeleton.reset(T::open());
        if (!skeleton) fail("opening a BPF object");
        skeleton->rodata->config = datapath.settings_.config;
        skeleton->rodata->config.unassured_pairs = datapath.settings_.unassured;
        // Sets the clock as the agent does.
        static const auto clock = maps::jiffy_clock();
        skeleton->rodata->config.jiffy_ns = clock.jiffy_ns;
        skeleton->rodata->config.jiffy_offset_ns = clock.offset_ns;
        for (const auto& [name, fd] : datapath.maps_)
            if (bpf_map* map = bpf_object__find_map_by_name(skeleton->obj, name.c_str()))
                if (bpf_map__reuse_fd(map, fd.get())) fail("sharing map " + name);
        return *skeleton;
    }
};

abi::hook abi_hook(Hook hook) {
    switch (hook) {
        case Hook::Xdp:
            return abi::HOOK_XDP;
        case Hook::UplinkIngress:
            return abi::HOOK_UPLINK_INGRESS;
        case Hook::WorkloadIngress:
            return abi::HOOK_WORKLOAD_INGRESS;
        case Hook::Egress:
            return abi::HOOK_EGRESS;
    }
    return abi::HOOK_COUNT;
}

Datapath::Datapath(const Settings& settings) : settings_(settings), objects_(std::make_unique<Objects>()) {
    Skeleton<xdp_bpf> declared(xdp_bpf::open());
    if (!declared) fail("opening a BPF object");
    auto sizes = sizes_of(settings);
    for (const auto& row : maps::table) {
        bpf_map* map = bpf_object__find_map_by_name(declared->obj, std::string(row.name).c_str());
        auto entries = row.size.setting ? row.entries(sizes) : std::min(row.size.fixed, 4096u);
        if (map) maps_.emplace(row.name, create_map(settings, map, entries));
    }
    std::uint32_t zero = 0;
    abi::runtime runtime{.abi_version = abi::WEIR_ABI_VERSION, .route_generation = 1};
    update("runtime", &zero, &runtime);
}

Datapath::~Datapath() = default;

std::vector<std::string> Datapath::map_names() const {
    std::vector<std::string> names;
    for (const auto& [name, fd] : maps_) names.push_back(name);
    return names;
}

void Datapath::update(const std::string& name, const void* key, const void* value) {
    if (bpf_map_update_elem(map(name), key, value, BPF_ANY)) fail("writing to map " + name);
}

int Datapath::program(Hook hook) {
    if (hook == Hook::Xdp) {
        auto& xdp = objects_->xdp;
        if (!xdp && xdp_bpf::load(&Objects::open(xdp, *this))) fail("loading the XDP program");
        return bpf_program__fd(xdp->progs.weir_xdp);
    }
    auto& tc = objects_->tc[hook];
    auto wanted = [&] {
        return hook == Hook::UplinkIngress     ? tc->progs.weir_uplink_ingress
               : hook == Hook::WorkloadIngress ? tc->progs.weir_workload_ingress
                                               : tc->progs.weir_egress;
    };
    if (!tc) {
        Objects::open(tc, *this);
        bpf_program* program = nullptr;
        bpf_object__for_each_program(program, tc->obj) bpf_program__set_autoload(program, program == wanted());
        if (tc_bpf::load(tc.get())) fail("loading a tc program");
    }
    return bpf_program__fd(wanted());
}

bool Datapath::can_run_complete() {
    Frame frame(64);
    __sk_buff skb{};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()), .ctx_in = &skb, .ctx_size_in = sizeof(skb),
                .flags = test_checksum_complete);
    return bpf_prog_test_run_opts(program(Hook::UplinkIngress), &options) == 0;
}

Outcome Datapath::run_uncounted(Hook hook, const Frame& frame, int ifindex, Gso gso) {
    Outcome outcome;
    outcome.frame.resize(frame.size() + 256);
    xdp_md xdp{};
    __sk_buff skb{};
    xdp.data_end = static_cast<std::uint32_t>(frame.size());
    xdp.ingress_ifindex = skb.ifindex = static_cast<std::uint32_t>(ifindex);
    skb.gso_size = gso.size;
    skb.gso_segs = gso.segments;
    bool is_xdp = hook == Hook::Xdp;
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = outcome.frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()),
                .data_size_out = static_cast<std::uint32_t>(outcome.frame.size()),
                .ctx_in = is_xdp ? static_cast<void*>(&xdp) : &skb,
                .ctx_size_in = static_cast<std::uint32_t>(is_xdp ? sizeof(xdp) : sizeof(skb)),
                .flags = settings_.checksum_complete && !is_xdp ? test_checksum_complete : 0);
    if (bpf_prog_test_run_opts(program(hook), &options)) fail("BPF_PROG_TEST_RUN");
    outcome.frame.resize(options.data_size_out);
    outcome.action = static_cast<int>(options.retval);
    return outcome;
}

Outcome Datapath::run(Hook hook, const Frame& frame, int ifindex, Gso gso) {
    std::array<VerdictCounts, abi::HOOK_COUNT> before, after;
    auto read = [&](auto& counts) {
        for (std::uint32_t i = 0; i < counts.size(); ++i) counts[i] = verdicts(static_cast<abi::hook>(i));
    };
    read(before);
    Outcome outcome = run_uncounted(hook, frame, ifindex, gso);
    read(after);
    int counted = 0;
    for (std::size_t at = 0; at < after.size(); ++at) {
        for (std::size_t i = 0; i < after[at].size(); ++i) {
            auto packets = after[at][i].packets - before[at][i].packets;
            if (!packets) continue;
            outcome.verdict = static_cast<abi::verdict>(i);
            ++counted;
            EXPECT_EQ(at, std::size_t{abi_hook(hook)}) << to_string(outcome.verdict);
            EXPECT_EQ(packets, std::max(gso.segments, 1u)) << to_string(outcome.verdict);
            EXPECT_EQ(after[at][i].octets - before[at][i].octets, frame.size()) << to_string(outcome.verdict);
        }
    }
    EXPECT_EQ(counted, 1) << "a packet has one verdict";
    return outcome;
}

std::size_t Datapath::shortest_frame(Hook hook, const Frame& frame) {
    if (hook == Hook::Xdp) return 14;
    if (frame[12] == 0x08 && frame[13] == 0x00) return 34;
    return frame[12] == 0x86 && frame[13] == 0xdd ? 54 : 14;
}

abi::sweep_result Datapath::sweep() {
    abi::sweep_result result{};
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &result, .ctx_size_in = sizeof(result));  // written back there
    if (bpf_prog_test_run_opts(sweeper(), &options)) fail("running the sweeper");
    return result;
}

int Datapath::sweeper() {
    auto& sweep = objects_->sweep;
    if (!sweep && sweep_bpf::load(&Objects::open(sweep, *this))) fail("loading the sweeper");
    return bpf_program__fd(sweep->progs.weir_sweep);
}

VerdictCounts Datapath::verdicts(abi::hook hook) const {
    VerdictCounts counts{};
    std::vector<abi::verdict_count> cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t i = 0; i < counts.size(); ++i) {
        auto key = abi::verdict_key(hook, static_cast<abi::verdict>(i));
        if (bpf_map_lookup_elem(map("verdicts"), &key, cpus.data())) fail("reading the verdicts");
        for (const auto& cpu : cpus) {
            counts[i].packets += cpu.packets;
            counts[i].octets += cpu.octets;
        }
    }
    return counts;
}

VerdictCounts Datapath::verdicts() const {
    VerdictCounts sums{};
    for (std::uint32_t hook = 0; hook < abi::HOOK_COUNT; ++hook) {
        auto here = verdicts(static_cast<abi::hook>(hook));
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i].packets += here[i].packets;
            sums[i].octets += here[i].octets;
        }
    }
    return sums;
}

Tuple Flow::rewritten(std::uint8_t protocol) const {
    return {{source, ntohs(flow.source_port_be)}, {destination, ntohs(flow.destination_port_be)}, protocol};
}

int Datapath::assured_map(const Tuple& tuple) const {
    if (tuple.protocol == IPPROTO_TCP) return map(is_ipv4(tuple.source.address) ? "flows4" : "flows6");
    return map(is_ipv4(tuple.source.address) ? "flows4_udp" : "flows6_udp");
}

namespace {

Flow flow_of(const abi::flow_pair& pair, bool reply) {
    abi::flow6 v6 = reply ? pair.reply : pair.forward;
    if (pair.family == 6) return {v6.flow, v6.source, v6.destination};
    abi::flow4 v4;
    std::memcpy(&v4, &v6, sizeof(v4));
    return {v4.flow, model::abi_address(v4.source_be), model::abi_address(v4.destination_be)};
}

}  // namespace

std::vector<std::pair<std::uint32_t, abi::flow_pair>> Datapath::pairs() const {
    std::vector<std::uint32_t> keys(settings_.unassured);
    std::vector<abi::flow_pair> values(settings_.unassured);
    std::uint32_t count = settings_.unassured, next = 0;
    if (bpf_map_lookup_batch(map("unassured"), nullptr, &next, keys.data(), values.data(), &count, nullptr) &&
        errno != ENOENT)
        fail("reading the unassured flows");
    std::vector<std::pair<std::uint32_t, abi::flow_pair>> found;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (values[i].family) found.emplace_back(keys[i], values[i]);
    }
    return found;
}

std::optional<Datapath::Pair> Datapath::pair_of(const Tuple& tuple) const {
    for (const auto& [index, pair] : pairs()) {
        for (bool reply : {false, true}) {
            if (flow_of(pair, !reply).rewritten(pair.protocol).reversed() == tuple) return Pair{index, pair, reply};
        }
    }
    return std::nullopt;
}

std::optional<Flow> Datapath::flow(const Tuple& tuple, Table table) const {
    if (table == Table::Unassured) {
        auto found = pair_of(tuple);
        return found ? std::optional(flow_of(found->pair, found->reply)) : std::nullopt;
    }
    if (is_ipv4(tuple.source.address)) {
        auto key = key4_of(tuple);
        abi::flow4 value;
        if (bpf_map_lookup_elem(assured_map(tuple), &key, &value)) return std::nullopt;
        return Flow{value.flow, model::abi_address(value.source_be), model::abi_address(value.destination_be)};
    }
    auto key = key6_of(tuple);
    abi::flow6 value;
    if (bpf_map_lookup_elem(assured_map(tuple), &key, &value)) return std::nullopt;
    return Flow{value.flow, value.source, value.destination};
}

std::optional<Flow> Datapath::flow(const Tuple& tuple) const {
    auto found = flow(tuple, Table::Assured);
    return found ? found : flow(tuple, Table::Unassured);
}

void Datapath::write_flow(const Tuple& tuple, const Flow& flow) {
    auto key4 = key4_of(tuple);
    auto key6 = key6_of(tuple);
    abi::flow4 v4{flow.flow, flow.source.words_be[3], flow.destination.words_be[3]};
    abi::flow6 v6{flow.flow, flow.source, flow.destination};
    bool ipv4 = is_ipv4(tuple.source.address);
    if (auto found = pair_of(tuple)) {
        auto& direction = found->reply ? found->pair.reply : found->pair.forward;
        std::memcpy(&direction, ipv4 ? static_cast<void*>(&v4) : &v6, ipv4 ? sizeof(v4) : sizeof(v6));
        update("unassured", &found->index, &found->pair);
    } else if (bpf_map_update_elem(assured_map(tuple), ipv4 ? static_cast<void*>(&key4) : &key6,
                                   ipv4 ? static_cast<void*>(&v4) : &v6, BPF_ANY)) {
        fail("writing a flow");
    }
}

void Datapath::erase_flow(const Tuple& tuple) {
    auto key4 = key4_of(tuple);
    auto key6 = key6_of(tuple);
    bpf_map_delete_elem(assured_map(tuple), is_ipv4(tuple.source.address) ? static_cast<void*>(&key4) : &key6);
    const abi::flow_pair none{};
    if (auto found = pair_of(tuple)) update("unassured", &found->index, &none);
}

void Datapath::age_flow(const Tuple& tuple, std::uint64_t seconds) {
    auto found = flow(tuple);
    if (!found) return;
    found->flow.last_seen = now_ticks() - ticks(seconds);
    write_flow(tuple, *found);
}

void Datapath::age_connection(const Tuple& tuple, std::uint64_t seconds) {
    auto found = pair_of(tuple);
    ASSERT_TRUE(found);
    found->pair.made -= ticks(seconds);
    update("unassured", &found->index, &found->pair);
}

std::size_t Datapath::count_flows(int family, Table table) const {
    if (table == Table::Unassured)
        return 2 * static_cast<std::size_t>(
                       std::ranges::count_if(pairs(), [&](const auto& p) { return p.second.family == family; }));
    abi::flow6_key key, next;  // large enough for either family
    std::size_t count = 0;
    for (std::string name : {"", "_udp"}) {
        int fd = map((family == 4 ? "flows4" : "flows6") + name);
        for (void* at = nullptr; bpf_map_get_next_key(fd, at, &next) == 0; at = &key, ++count) key = next;
    }
    return count;
}

std::string to_string(abi::verdict verdict) {
    return std::string(maps::verdict_name(verdict).name);
}

std::uint32_t now_ticks() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    auto nanoseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
    return static_cast<std::uint32_t>(nanoseconds >> abi::TICK_SHIFT);
}

}  // namespace weir::test

namespace weir::abi {
void PrintTo(verdict verdict, std::ostream* out) {
    *out << test::to_string(verdict);
}
}  // namespace weir::abi
