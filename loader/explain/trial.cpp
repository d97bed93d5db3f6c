// SPDX-License-Identifier: Apache-2.0
#include "loader/explain/trial.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <vector>

#include "loader/apply/kernel_writer.hpp"
#include "loader/apply/write_order.hpp"
#include "loader/datapath/libbpf_log.hpp"
#include "loader/datapath/programs.hpp"
#include "loader/datapath/skeletons.hpp"
#include "loader/explain/first_packet.hpp"
#include "loader/model/abi_address.hpp"
#include "loader/view/config_in_force.hpp"
#include "maps/pins.hpp"
#include "maps/table.hpp"

namespace weir::explain {

namespace {

using FdMap = std::map<std::string, maps::Fd, std::less<>>;

struct Destroy {
    void operator()(tc_bpf* skeleton) const { tc_bpf::destroy(skeleton); }
};

// An LRU map deals out free entries to processors by the hundred: this is little, and plenty for single packets. A
// power of two, as the ring of unassured flows must have.
constexpr std::uint32_t private_entries = 8192;
// As many source ports as the datapath tries, and then some.
constexpr int most_collisions = 32;

std::string reason(int result) {
    return std::generic_category().message(-result);
}

template <class Entries>
std::uint32_t entries_for(const Entries& entries) {
    std::uint32_t largest = 0;
    for (const auto& [key, value] : entries) largest = std::max(largest, key);
    return largest + 1;
}

// Sizes of private maps: room for the contents, and for the flows of a few packets.
maps::MapSizes private_sizes(const plan::MapChanges& contents) {
    auto count = [](const auto& list) { return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(list.size())); };
    maps::MapSizes sizes;
    for (const auto& setting : maps::size_settings) sizes.*setting.value = private_entries;
    sizes.frontends = std::max(count(contents.frontends_on), count(contents.vips_on));
    sizes.source_ranges = count(contents.source_ranges_on);
    sizes.services = count(contents.services_on);
    sizes.backends = entries_for(contents.backends_on);
    std::uint32_t lines = 1;
    for (const auto& table : contents.slots) lines = std::max(lines, table.first_line() + table.line_count());
    sizes.slots = lines * abi::SLOTS_PER_LINE;
    return sizes;
}

// Programs only read what the agent fills: a trial may share it.
bool is_read_only(const maps::MapRow& map) {
    return map.filled_by == maps::Filler::agent;
}

}  // namespace

struct Trial::Loaded {
    std::unique_ptr<tc_bpf, Destroy> tc;
    FdMap node;  // the node's own maps; empty where a plan is tried
    std::string note;
    std::array<std::uint64_t, abi::VERDICT_COUNT> counted{};

    int map_fd(std::string_view name) const;
    std::expected<void, std::string> open(const abi::datapath_config& config, const plan::MapChanges& contents);
    std::expected<void, std::string> load();
    std::expected<void, std::string> test_run(const Frame& frame, Ingress ingress, unsigned ifindex, Frame& out);
    abi::verdict take_verdict();

    std::optional<view::FlowEntry> find(const view::Tuple& tuple) const;
    std::optional<view::FlowEntry> copy_flow(const view::Tuple& tuple);
    void copy_known_flow(const view::Tuple& tuple);
    void copy_affinity(const view::Tuple& tuple);
    bool loses_reply_tuple(const view::Tuple& tuple);
    void erase(const view::Tuple& tuple);
};

int Trial::Loaded::map_fd(std::string_view name) const {
    const bpf_map* map = bpf_object__find_map_by_name(tc->obj, std::string(name).c_str());
    return map ? bpf_map__fd(map) : -1;
}

std::expected<void, std::string> Trial::Loaded::open(const abi::datapath_config& config,
                                                     const plan::MapChanges& contents) {
    tc.reset(tc_bpf::open());
    if (!tc) return std::unexpected(fmt::format("cannot open the embedded BPF objects: {}", reason(-errno)));
    auto& fixed = *reinterpret_cast<abi::datapath_config*>(&tc->rodata->config);
    fixed = config;
    fixed.unassured_pairs = private_entries;
    bpf_program__set_autoload(tc->progs.weir_egress, false);
    auto sizes = private_sizes(contents);
    for (const auto& row : maps::table) {
        bpf_map* map = bpf_object__find_map_by_name(tc->obj, std::string(row.name).c_str());
        if (!map) continue;
        int result = 0;
        if (!node.empty() && is_read_only(row))
            result = bpf_map__reuse_fd(map, node.find(row.name)->second.get());
        else  // No sweeper runs here.
            result = bpf_map__set_max_entries(map, row.filled_by == maps::Filler::sweeper ? 1 : row.entries(sizes));
        if (result < 0) return std::unexpected(fmt::format("map {}: {}", row.name, reason(result)));
    }
    return {};
}

std::expected<void, std::string> Trial::Loaded::load() {
    datapath::LibbpfLog log;
    int result = tc_bpf::load(tc.get());
    if (result == 0) return {};
    if (result == -EPERM)
        return std::unexpected(std::string(
            "no permission to load BPF programs; run as root (or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)"));
    return std::unexpected(fmt::format("tc programs: the kernel refused them: {}\n{}", reason(result), log.tail()));
}

std::expected<void, std::string> Trial::Loaded::test_run(const Frame& frame, Ingress ingress, unsigned ifindex,
                                                         Frame& out) {
    const auto* program = ingress == Ingress::uplink ? tc->progs.weir_uplink_ingress : tc->progs.weir_workload_ingress;
    out.resize(frame.size() + 256);  // an answer quotes the packet
    __sk_buff skb{};
    skb.ifindex = ifindex;
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()),
                .data_size_out = static_cast<std::uint32_t>(out.size()), .ctx_in = &skb, .ctx_size_in = sizeof(skb));
    if (int result = bpf_prog_test_run_opts(bpf_program__fd(program), &options); result < 0)
        return std::unexpected(fmt::format("BPF_PROG_TEST_RUN: {}", reason(result)));
    out.resize(options.data_size_out);
    return {};
}

// Every packet is counted once, under its verdict.
abi::verdict Trial::Loaded::take_verdict() {
    auto verdicts = maps::view<maps::VerdictArray>(map_fd("verdicts"));
    auto verdict = abi::VERDICT_COUNT;
    for (std::uint32_t i = 0; i < counted.size(); ++i) {
        auto packets = verdicts.total(static_cast<abi::verdict>(i)).packets;
        if (packets != counted[i]) verdict = static_cast<abi::verdict>(i);
        counted[i] = packets;
    }
    return verdict;
}

std::optional<view::FlowEntry> Trial::Loaded::find(const view::Tuple& tuple) const {
    view::FlowKey key(tuple);
    view::FlowEntry entry(tuple.source.family());
    if (!maps::raw::lookup(map_fd(key.assured_table()), key.data(), entry.data())) return entry;
    return view::UnassuredRing(map_fd("unassured")).find(tuple);
}

// To the assured table, wherever it was: what a first packet meets there is the same, and it needs no index.
std::optional<view::FlowEntry> Trial::Loaded::copy_flow(const view::Tuple& tuple) {
    view::FlowKey key(tuple);
    std::optional<view::FlowEntry> entry(tuple.source.family());
    if (maps::raw::lookup(node.find(key.assured_table())->second.get(), key.data(), entry->data()))
        entry = view::UnassuredRing(node.find("unassured")->second.get()).find(tuple);
    if (!entry || maps::raw::update(map_fd(key.assured_table()), key.data(), entry->data())) return std::nullopt;
    return entry;
}

void Trial::Loaded::copy_known_flow(const view::Tuple& tuple) {
    if (auto flow = copy_flow(tuple)) copy_flow(flow->rewritten(tuple.protocol).reversed());
}

// Puts what the node remembers of the client in place of what an earlier run left. Whether it still counts is for the
// program to say. The map is this trial's own: it has room, and an entry that is not there need not be erased.
void Trial::Loaded::copy_affinity(const view::Tuple& tuple) {
    abi::frontend_key frontend_key{.address = model::abi_address(tuple.destination),
                                   .port_be = htons(tuple.destination_port),
                                   .protocol = static_cast<std::uint8_t>(tuple.protocol),
                                   .pad = 0};
    abi::frontend frontend;
    if (maps::raw::lookup(map_fd("frontends"), &frontend_key, &frontend)) return;
    abi::affinity_key key{.client = model::abi_address(tuple.source), .service_id = frontend.service_id};
    abi::affinity last;
    if (maps::raw::lookup(node.find("affinity")->second.get(), &key, &last))
        (void)maps::raw::erase(map_fd("affinity"), &key);
    else
        (void)maps::raw::update(map_fd("affinity"), &key, &last);
}

void Trial::Loaded::erase(const view::Tuple& tuple) {
    view::FlowKey key(tuple);
    (void)maps::raw::erase(map_fd(key.assured_table()), key.data());  // the flow may be in the other table alone
    view::UnassuredRing(map_fd("unassured")).erase(tuple);
}

// Has another flow of the node the reply tuple that the new flow was given here? Then the new flow is undone and the
// other one copied, so that the next run gets what the node would give.
bool Trial::Loaded::loses_reply_tuple(const view::Tuple& tuple) {
    auto flow = find(tuple);
    if (!flow) return false;
    auto taken = copy_flow(flow->rewritten(tuple.protocol).reversed());
    // The reply tuple may be taken by this flow's own entry, which outlived the forward one.
    if (!taken || taken->rewritten(tuple.protocol).reversed() == tuple) return false;
    erase(tuple);
    return true;
}

std::expected<Trial, std::string> Trial::of_node(const datapath::Settings& settings) {
    auto loaded = std::make_unique<Loaded>();
    auto runtime = maps::open_map<maps::RuntimeMap>(settings.pins, "runtime");
    if (!runtime) return std::unexpected(runtime.error());
    auto now = runtime->lookup(0);
    if (!now || now->abi_version != abi::WEIR_ABI_VERSION)
        return std::unexpected(
            fmt::format("{}: made by another version of weir; use that version's command line", settings.pins.maps()));
    for (const auto& map : maps::table) {
        // No program of a trial looks at it, and it may be missing.
        if (map.filled_by == maps::Filler::sweeper) continue;
        auto fd = maps::raw::open_pinned(settings.pins.map(map.name));
        if (!fd) return std::unexpected(fmt::format("{}: {}", settings.pins.map(map.name), fd.error().message()));
        loaded->node.emplace(map.name, std::move(*fd));
    }
    auto config = view::config_in_force(loaded->node.find("frontends")->second.get());
    if (!config)
        loaded->note = "no programs run on these maps: the configuration file's seed, ports and ranges are taken";
    if (auto opened = loaded->open(config ? *config : datapath::datapath_config(settings), {}); !opened)
        return std::unexpected(opened.error());
    if (auto done = loaded->load(); !done) return std::unexpected(done.error());
    return Trial(std::move(loaded));
}

std::expected<Trial, std::string> Trial::of_plan(const datapath::Settings& settings, const plan::MapChanges& contents) {
    auto loaded = std::make_unique<Loaded>();
    if (auto opened = loaded->open(datapath::datapath_config(settings), contents); !opened)
        return std::unexpected(opened.error());
    if (auto done = loaded->load(); !done) return std::unexpected(done.error());
    Trial trial(std::move(loaded));
    abi::runtime runtime{};
    runtime.abi_version = abi::WEIR_ABI_VERSION;
    runtime.route_generation = 1;
    std::uint32_t zero = 0;
    if (auto error = maps::raw::update(trial.map_fd("runtime"), &zero, &runtime))
        return std::unexpected(fmt::format("map runtime: {}", error.message()));
    apply::KernelWriter writer([&](std::string_view name) { return trial.map_fd(name); });
    if (auto written = apply::write(writer, contents); !written) return std::unexpected(written.error());
    return trial;
}

std::expected<TrialResult, std::string> Trial::run(const view::Tuple& tuple, Ingress ingress, unsigned ifindex) {
    auto& loaded = *loaded_;
    if (!loaded.node.empty()) loaded.copy_known_flow(tuple);
    auto before = loaded.find(tuple);
    auto frame = first_packet(tuple);
    Frame out;
    TrialResult result;
    for (int i = 0; i < most_collisions; ++i) {
        if (!loaded.node.empty()) loaded.copy_affinity(tuple);
        if (auto ran = loaded.test_run(frame, ingress, ifindex, out); !ran) return std::unexpected(ran.error());
        result.verdict = loaded.take_verdict();
        if (before || loaded.node.empty() || !loaded.loses_reply_tuple(tuple)) break;
    }
    bool translated = abi::verdict_is_rewritten(result.verdict);
    result.leaves = translated ? tuple_of(out) : tuple;
    if (auto flow = loaded.find(tuple)) {
        result.backend_id = flow->flow().backend_id;
        // A flow that a SYN starts afresh has seen this packet only.
        result.known_flow = before && flow->flow().packets > 1;
        result.by_affinity = flow->flow().flags & abi::FLOW_AFFINITY;
    }
    return result;
}

void Trial::forget() {
    view::UnassuredRing(map_fd("unassured")).clear();
    for (const auto& map : maps::table) {
        if (map.kind != maps::Kind::lru_hash) continue;
        std::vector<std::byte> key(map.key_size);
        int fd = map_fd(map.name);
        while (!maps::raw::next_key(fd, nullptr, key.data())) {
            if (maps::raw::erase(fd, key.data())) break;
        }
    }
}

Trial::Trial(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Trial::Trial(Trial&&) noexcept = default;
Trial& Trial::operator=(Trial&&) noexcept = default;
Trial::~Trial() = default;

int Trial::map_fd(std::string_view name) const {
    return loaded_->map_fd(name);
}

const std::string& Trial::note() const {
    return loaded_->note;
}

}  // namespace weir::explain
