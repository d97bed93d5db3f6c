// SPDX-License-Identifier: Apache-2.0
// weir-bench-generate: sends frames of many flows through an interface, as fast as the kernel takes them or at a rate.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "generate.skel.h"
#include "tests/bench/cpu.hpp"
#include "tests/bench/frame.hpp"
#include "tests/bench/tool.hpp"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::string interface;
    std::string source_mac = "02:00:00:00:00:01", destination_mac;
    std::string source = "198.18.0.0/15", destination;
    std::string source_ports = "1024-65535", destination_ports = "80";
    std::string protocol = "udp", flags = "syn";
    std::uint64_t flows = 0;
    std::size_t size = smallest_frame;
    std::uint64_t count = 0;
    double seconds = 0;
    double rate = 0;
    std::uint32_t batch = 64;
    int cpu = -1;
};

volatile std::sig_atomic_t stopped = 0;

std::uint8_t tcp_flags(const std::string& text) {
    static constexpr std::pair<const char*, std::uint8_t> names[] = {{"fin", 1}, {"syn", 2},  {"rst", 4},
                                                                     {"psh", 8}, {"ack", 16}, {"urg", 32}};
    std::uint8_t flags = 0;
    for (const std::string& one : CLI::detail::split(text, ',')) {
        auto* found = std::ranges::find_if(names, [&](const auto& name) { return one == name.first; });
        if (found == std::end(names)) throw std::invalid_argument(one + " is no TCP flag: fin syn rst psh ack urg");
        flags |= found->second;
    }
    return flags;
}

FrameOptions frame_options(const Options& options) {
    FrameOptions frame;
    frame.source_mac = parse_mac(options.source_mac);
    frame.destination_mac = parse_mac(options.destination_mac);
    frame.source = Addresses::parse(options.source);
    frame.destination = Addresses::parse(options.destination);
    frame.source_ports = Range::ports(options.source_ports);
    frame.destination_ports = Range::ports(options.destination_ports);
    frame.protocol = options.protocol == "tcp" ? model::Protocol::tcp : model::Protocol::udp;
    frame.tcp_flags = tcp_flags(options.flags);
    frame.size = options.size;
    return frame;
}

// The loaded program with its template.
class Generator {
public:
    Generator(const Options& options, const FrameOptions& wanted) : batch_(options.batch), frame_(make_frame(wanted)) {
        unsigned ifindex = if_nametoindex(options.interface.c_str());
        if (!ifindex) throw std::runtime_error(options.interface + ": no such interface in this network namespace");
        skeleton_.reset(generate_bpf::open());
        if (!skeleton_) throw std::runtime_error("the BPF program cannot be opened");
        auto& data = *skeleton_->rodata;
        data.at.source = frame_.at.source;
        data.at.destination = frame_.at.destination;
        data.at.ports = frame_.at.ports;
        data.at.ip_checksum = frame_.at.ip_checksum;
        data.at.checksum = frame_.at.checksum;
        data.out_ifindex = ifindex;
        data.flows = static_cast<std::uint32_t>(options.flows);
        data.count = options.count;
        data.interval = options.rate > 0 ? static_cast<std::uint64_t>(1e9 / options.rate) : 0;
        auto set = [](auto& range, const Range& from) { range = {from.first, from.count}; };
        set(data.sources, wanted.source.last_word);
        set(data.destinations, wanted.destination.last_word);
        set(data.source_ports, wanted.source_ports);
        set(data.destination_ports, wanted.destination_ports);
        data.ip_sum = frame_.ip_sum;
        data.sum = frame_.sum;
        std::memcpy(data.template_frame, frame_.bytes.data(), sizeof(data.template_frame));
        if (generate_bpf::load(skeleton_.get()))
            throw std::runtime_error(fmt::format("the BPF program does not load: {}", std::strerror(errno)));
    }

    // Runs until the program has got this many pages, or a signal ends it. Makes one call, since the kernel takes tens
    // of milliseconds around each.
    void run(std::uint32_t pages) {
        xdp_md context{};
        context.data_end = static_cast<std::uint32_t>(frame_.bytes.size());
        LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame_.bytes.data(),
                    .data_size_in = static_cast<std::uint32_t>(frame_.bytes.size()), .ctx_in = &context,
                    .ctx_size_in = sizeof(context), .repeat = static_cast<int>(pages),
                    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = std::min(batch_, pages));
        int error = bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.generate), &run);
        if (error && error != -EINTR)
            throw std::runtime_error(
                fmt::format("BPF_PROG_TEST_RUN: {} (live frames need Linux 5.18)", std::strerror(-error)));
    }

    std::uint64_t sent() const { return skeleton_->bss->sent; }

private:
    struct Destroy {
        void operator()(generate_bpf* skeleton) const { generate_bpf::destroy(skeleton); }
    };
    std::uint32_t batch_;
    Frame frame_;
    std::unique_ptr<generate_bpf, Destroy> skeleton_;
};

struct Sent {
    std::uint64_t frames = 0;
    double seconds = 0, cpu_seconds = 0;
};

// Interrupts the system call when time is up, again and again: the first signal may come before the call.
void interrupt_after(double seconds) {
    auto split = [](double value) {
        auto whole = static_cast<time_t>(value);
        return timeval{whole, static_cast<suseconds_t>((value - static_cast<double>(whole)) * 1e6)};
    };
    itimerval timer{split(0.1), split(std::max(seconds, 0.001))};
    setitimer(ITIMER_REAL, &timer, nullptr);
}

Sent generate(Generator& generator, const Options& options) {
    auto start = Clock::now();
    auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    double cpu_start = thread_cpu_seconds();
    // At a rate the program drops most pages, so their number does not tell when the frames have been sent.
    bool by_pages = options.count && options.rate <= 0;
    double most = options.seconds > 0 ? options.seconds : 1e9;
    if (!by_pages)
        interrupt_after(options.count ? std::min(most, static_cast<double>(options.count) / options.rate) : most);
    std::uint64_t wanted = options.count ? options.count : UINT64_MAX;
    while (!stopped && generator.sent() < wanted && passed() < most)
        generator.run(by_pages
                          ? static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted - generator.sent(), INT32_MAX))
                          : INT32_MAX);
    return {generator.sent(), passed(), thread_cpu_seconds() - cpu_start};
}

void run(Options options) {
    if (options.count == 0 && options.seconds <= 0) options.seconds = 1;
    FrameOptions frame = frame_options(options);
    Generator generator(options, frame);
    if (options.cpu >= 0) pin_to_cpu(options.cpu);
    struct sigaction action {};
    action.sa_handler = [](int signal) {
        if (signal != SIGALRM) stopped = 1;
    };
    for (int signal : {SIGINT, SIGTERM, SIGALRM}) sigaction(signal, &action, nullptr);
    Sent sent = generate(generator, options);
    fmt::print("{{\"sent\":{},\"seconds\":{:.6f},\"cpu_seconds\":{:.6f},\"per_second\":{:.0f}}}\n", sent.frames,
               sent.seconds, sent.cpu_seconds, static_cast<double>(sent.frames) / sent.seconds);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    Options options;
    CLI::App app(
        "Sends UDP or TCP frames of many flows out of an interface of this network namespace, flat out or at a rate, "
        "and\n"
        "prints how many as JSON. Needs root. Through a veth, the far end must run NAPI: an XDP program there, or "
        "GRO.\n"
        "A flood of SYNs from half a million spoofed addresses, every frame a new flow, for five seconds, from a "
        "router's\n"
        "namespace out of its interface node1:\n"
        "  ip netns exec ROUTER weir-bench-generate --interface node1 --destination-mac 0e:00:00:00:00:01 \\\n"
        "    --source 198.18.0.0/13 --destination 192.168.1.2 --destination-ports 30080 --protocol tcp --seconds 5");
    app.add_option("--interface,-i", options.interface, "Interface to send from")->required();
    app.add_option("--destination-mac", options.destination_mac, "MAC address of the next hop")->required();
    app.add_option("--source-mac", options.source_mac, "The frames' own")->capture_default_str();
    app.add_option("--destination,-d", options.destination, "Address or prefix, IPv4 or IPv6")->required();
    app.add_option("--source,-s", options.source, "Address or prefix; of IPv6 the last 32 bits vary")
        ->capture_default_str();
    app.add_option("--destination-ports", options.destination_ports, "Port, or FIRST-LAST")->capture_default_str();
    app.add_option("--source-ports", options.source_ports, "Port, or FIRST-LAST")->capture_default_str();
    app.add_option("--protocol", options.protocol, "")->check(CLI::IsMember({"udp", "tcp"}))->capture_default_str();
    app.add_option("--flags", options.flags, "TCP flags, by comma: fin syn rst psh ack urg")->capture_default_str();
    app.add_option(
           "--flows", options.flows,
           "How many different flows: source ports first, then source addresses; the flow tells the destination\n"
           "too (default: 2^32, as far as the ranges give them: every frame a new one)")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{0xffffffff}));
    app.add_option("--size", options.size, "Bytes of a frame, without its check sequence")
        ->check(CLI::Range(smallest_frame, largest_frame))
        ->capture_default_str();
    app.add_option("--count", options.count, "Frames to send");
    app.add_option("--seconds", options.seconds, "Time to send for (default: 1, without --count)")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--rate", options.rate, "Frames per second (default: as many as go). Keeps its CPU busy at any rate")
        ->check(CLI::Range(1.0, 1e9));
    app.add_option("--batch", options.batch, "Frames at once")->check(CLI::Range(1, 256))->capture_default_str();
    app.add_option("--cpu", options.cpu, "CPU to run on");
    return run_tool(app, argc, argv, [&] { run(options); });
}
