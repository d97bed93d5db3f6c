// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scene.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/bench/cpu.hpp"
#include "tests/bpf/reading.hpp"
#include "wrapper.skel.h"

namespace weir::bench {

using test::Endpoint;

namespace {

// The wrapper restores the first template_size octets, the headers; the frame is a little longer.
constexpr std::size_t template_size = 80, frame_size = 96;
constexpr std::uint16_t service_port = 80, backend_port = 8080;

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

std::uint32_t first_address(int family) {
    return family == 4 ? 0x64400000 /* 100.64.0.0/10, RFC 6598 */ : 0;
}

// Returns the flow's client, as the wrapper varies it.
Endpoint client_of(int family, std::uint32_t flow) {
    Endpoint client{test::address(family == 4 ? "100.64.0.0" : "2001:db8:f::"),
                    static_cast<std::uint16_t>(1024 + (flow & 0x7fff))};
    client.address.words_be[3] = htonl(first_address(family) + (flow >> 15));
    return client;
}

test::Settings settings_of(const CaseOf& which) {
    test::Settings settings;
    settings.config.snat_port_max = 65535;
    if (which.kind == Kind::Crowded) settings.config.snat_port_min = settings.config.snat_port_max - 19'999;
    // An LRU map begins to evict before it is full: its free elements are spread over the CPUs.
    std::uint32_t room = std::bit_ceil(which.flows) * 4;
    settings.assured = which.is_first_packet() ? 65536 : std::max(room, 8192u);
    settings.unassured = 65536;
    return settings;
}

}  // namespace

std::string CaseOf::name() const {
    switch (kind) {
        case Kind::Established:
            return "established";
        case Kind::Reply:
            return "reply";
        case Kind::NewFlow:
            return "new flow";
        case Kind::Crowded:
            return "new flow, ports held";
        case Kind::NotOurs:
            return "not ours";
        case Kind::Refused:
            return "refused";
        case Kind::Rejected:
            return "rejected";
    }
    return "?";
}

std::string_view CaseOf::program() const {
    switch (hook) {
        case test::Hook::Xdp:
            return "xdp";
        case test::Hook::UplinkIngress:
            return "tc uplink";
        default:
            return "tc pod";
    }
}

std::vector<abi::verdict> CaseOf::expected() const {
    bool pod = hook == test::Hook::WorkloadIngress;
    switch (kind) {
        case Kind::Reply:
            return {abi::VERDICT_REPLY_FORWARD};
        case Kind::NotOurs:
            return {abi::VERDICT_PASS_NO_FRONTEND};
        case Kind::Refused:
            return {abi::VERDICT_DROP_CLOSED_FRONTEND};
        case Kind::Rejected:
            return {abi::VERDICT_REJECT_NO_BACKEND, abi::VERDICT_DROP_ANSWER_LIMIT};
        default:
            return {pod ? abi::VERDICT_DELIVER : abi::VERDICT_FORWARD};
    }
}

std::vector<CaseOf> all_cases() {
    std::vector<CaseOf> cases;
    constexpr std::uint32_t each = 1u << 31;
    using enum test::Hook;
    for (auto hook : {Xdp, UplinkIngress, WorkloadIngress}) {
        for (int family : {4, 6}) {
            for (std::uint32_t flows : {1u, flows_of_one_size, 1u << 15, most_flows})
                cases.push_back({Kind::Established, family, flows, hook});
            // The egress program rewrites a pod's replies, by the same steps.
            if (hook != WorkloadIngress) cases.push_back({Kind::Reply, family, flows_of_one_size, hook});
            cases.push_back({Kind::NewFlow, family, each, hook});
            if (hook != WorkloadIngress) cases.push_back({Kind::Crowded, family, each, hook});
            cases.push_back({Kind::NotOurs, family, flows_of_one_size, hook});
            if (hook != WorkloadIngress) cases.push_back({Kind::Refused, family, each, hook});
            cases.push_back({Kind::Rejected, family, each, hook});
        }
    }
    return cases;
}

test::Packet Scene::packet(std::uint32_t flow, int flags) const {
    const auto& at = test::places(which_.family);
    Endpoint to{which_.kind == Kind::NotOurs ? at.vip2 : at.vip, service_port};
    auto packet = test::Packet::tcp(client_of(which_.family, flow), to, flags);
    return packet.payload(frame_size - (which_.family == 4 ? 54u : 74u));
}

Scene::Scene(const CaseOf& which) : which_(which), datapath_(settings_of(which)) {
    test::Node::describe_devices(datapath_);
    const auto& at = test::places(which.family);
    // Enough backends for a million source ports; replies come from one, so that the port alone tells flows apart.
    std::uint16_t count = which.kind == Kind::Reply ? 1 : which.kind == Kind::Crowded ? 2 : 1024;
    std::vector<Endpoint> backends;
    for (std::uint16_t i = 0; i < count; ++i)
        backends.push_back({at.remote, static_cast<std::uint16_t>(backend_port + i)});
    test::Scopes scopes;
    if (which.kind == Kind::Refused) scopes.external = abi::SCOPE_CLOSED;
    if (which.kind == Kind::Rejected) scopes = {.cluster = abi::SCOPE_REJECT, .external = abi::SCOPE_REJECT};
    test::Tables(datapath_).service(IPPROTO_TCP).backends(backends).frontend({at.vip, service_port}, scopes);

    wrapper_ = wrapper_bpf::open();
    if (!wrapper_) fail("opening the wrapper");
    wrapper_->rodata->address_offset = which.family == 4 ? 26 : 34;
    wrapper_->rodata->port_offset = which.family == 4 ? 34 : 54;
    if (which.kind == Kind::Rejected) wrapper_->rodata->whole = frame_size;
    if (wrapper_bpf::load(wrapper_)) fail("loading the wrapper");
    const auto& programs = wrapper_->progs;
    bool xdp = which.hook == test::Hook::Xdp, reply = which.kind == Kind::Reply;
    null_fd_ = bpf_program__fd(xdp ? programs.null_tx : programs.null_tc);
    weir_fd_ = datapath_.program(which.hook);
    wrapper_fd_ = bpf_program__fd(xdp     ? reply ? programs.restore_reply : programs.restore_forward
                                  : reply ? programs.restore_reply_tc
                                          : programs.restore_forward_tc);
    under_test_fd_ = bpf_map__fd(xdp ? wrapper_->maps.under_test : wrapper_->maps.under_test_tc);
    wrapper_->bss->first_address = first_address(which.family);
    wrapper_->bss->flow_mask = which.flows - 1;

    frame_ = packet(0, which.is_first_packet() ? test::syn : test::ack).frame();
    if (which.kind == Kind::Established || which.kind == Kind::Reply) establish();
    std::memcpy(wrapper_->bss->template_frame, frame_.data(), template_size);
}

Scene::~Scene() {
    wrapper_bpf::destroy(wrapper_);
}

// Makes real handshakes through the real program: SYN, SYN-ACK, ACK.
void Scene::establish() {
    int uplink = test::Node::enter().uplink;
    bool pod = which_.hook == test::Hook::WorkloadIngress;
    auto run = [&](const test::Frame& frame, bool back = false) {
        return datapath_.run_uncounted(pod && back ? test::Hook::Egress : which_.hook, frame, uplink).frame;
    };
    for (std::uint32_t flow = 0; flow < which_.flows; ++flow) {
        test::Tuple there = test::read(run(packet(flow, test::syn).frame())).tuple;
        run(test::Packet::of(there.reversed(), test::syn | test::ack).frame(), true);
        run(packet(flow, test::ack).frame());
        if (which_.kind != Kind::Reply) continue;
        wrapper_->bss->destination_ports_be[flow] = htons(there.source.port);
        frame_ = test::Packet::of(there.reversed()).payload(frame_size - (which_.family == 4 ? 54u : 74u)).frame();
    }
}

Measurement Scene::run(int program_fd, std::uint32_t packets) {
    std::uint32_t zero = 0;
    if (bpf_map_update_elem(under_test_fd_, &zero, &program_fd, BPF_ANY)) fail("choosing the program under test");
    bool is_xdp = which_.hook == test::Hook::Xdp;
    xdp_md context{};
    context.data_end = static_cast<std::uint32_t>(frame_.size());
    __sk_buff skb{};
    context.ingress_ifindex = skb.ifindex = static_cast<std::uint32_t>(test::Node::enter().uplink);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_.data(),
                .data_size_in = static_cast<std::uint32_t>(frame_.size()),
                .ctx_in = is_xdp ? static_cast<void*>(&context) : &skb,
                .ctx_size_in = static_cast<std::uint32_t>(is_xdp ? sizeof(context) : sizeof(skb)),
                .repeat = static_cast<int>(packets));
    auto before = datapath_.verdicts(test::abi_hook(which_.hook));
    double start = thread_cpu_seconds();
    if (bpf_prog_test_run_opts(wrapper_fd_, &options)) fail("BPF_PROG_TEST_RUN");
    double spent = (thread_cpu_seconds() - start) * 1e9;
    auto after = datapath_.verdicts(test::abi_hook(which_.hook));
    std::uint64_t on_path = 0;
    for (auto verdict : which_.expected()) on_path += after[verdict].packets - before[verdict].packets;
    return {spent / packets, on_path};
}

}  // namespace weir::bench
