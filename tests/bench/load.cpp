// SPDX-License-Identifier: Apache-2.0
// weir-bench-load: connections per second, request latency, throughput. One thread, a fixed number of requests under
// way.
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "maps/fd.hpp"
#include "tests/bench/cpu.hpp"
#include "tests/bench/frame.hpp"
#include "tests/bench/quantile.hpp"
#include "tests/bench/tool.hpp"
#include "tests/bench/wire.hpp"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using namespace std::chrono_literals;

// No request takes so long unless a packet of it was lost: TCP sends again after 200 ms or more (Linux, TCP_RTO_MIN).
constexpr std::chrono::nanoseconds slow = 200ms;

enum class Mode { connect, keepalive, upload };

struct Options {
    std::string to;
    Mode mode = Mode::connect;
    std::size_t connections = 16;
    double seconds = 1, warm_up = 0.1;
    double rate = 0;                           // requests begun per second; 0: one after each answer
    double patience = 1;                       // seconds that a request waits for its answer
    std::string source_ports = "32768-60999";  // Linux's own choice
    int cpu = -1;
};

struct Connection {
    maps::Fd fd;
    Clock::time_point begin;
    bool connected = false, answered = false, asking = false;
};

class Load {
public:
    Load(const Options& options, const model::SocketAddress& to)
        : options_(options),
          to_(to),
          address_(kernel_address(to)),
          ports_(Range::ports(options.source_ports)),
          epoll_(epoll_create1(EPOLL_CLOEXEC)),
          connections_(options.connections),
          patience_(duration(options.patience)),
          interval_(options.rate > 0 ? duration(1 / options.rate) : Clock::duration{}) {
        request_[0] = static_cast<char>(options.mode == Mode::connect     ? Wanted::answer_and_close
                                        : options.mode == Mode::keepalive ? Wanted::answer
                                                                          : Wanted::swallow);
        latencies_.reserve(1 << 20);
    }

    void run() {
        start_ = Clock::now() + duration(options_.warm_up);
        end_ = start_ + duration(options_.seconds);
        if (!paced() || options_.mode == Mode::keepalive)
            for (auto& connection : connections_) open(connection);
        due_ = options_.mode == Mode::keepalive ? start_ : Clock::now();
        std::array<epoll_event, 256> events;
        while (open_ > 0 || (paced() && !finished_)) {
            auto now = Clock::now();
            if (now >= start_ && busy_begin_ < 0) busy_begin_ = busy_cpu_seconds();
            if (now >= end_) finish();
            // A server that has not answered this long after the end will not answer.
            if (now >= end_ + patience_) break;
            auto next = now >= end_ ? end_ + patience_ : end_;
            if (paced()) next = std::min(next, finished_ ? now + patience_check : due_);
            auto left = std::max(std::chrono::ceil<std::chrono::milliseconds>(next - now), 0ms);
            int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(left.count()));
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                step(connections_[event.data.u32], event.events);
            }
            if (paced()) keep_pace(Clock::now());
        }
        unanswered_ = open_;
    }

    void report();

private:
    static constexpr std::chrono::milliseconds patience_check{10}, largest_burst{100};

    static Clock::duration duration(double seconds) {
        return std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    }
    bool counts() const { return !finished_ && Clock::now() >= start_; }
    // At a pace every request that began in time counts, whenever the answer comes: the slow ones are of interest.
    bool counts(const Connection& connection) const { return paced() ? connection.begin >= start_ : counts(); }
    bool paced() const { return options_.rate > 0; }

    // Begins the requests that are due, and gives up those that have waited too long.
    void keep_pace(Clock::time_point now) {
        if (now >= next_check_) {
            for (auto& connection : connections_)
                if (connection.fd && connection.asking && now - connection.begin > patience_) {
                    ++errors_["no answer"];
                    close(connection);
                }
            next_check_ = now + patience_check;
        }
        due_ = std::max(due_, now - largest_burst);
        for (; !finished_ && due_ <= now && due_ < end_; due_ += interval_)
            if (!begin_next()) ++errors_["no connection is free"];
    }

    // Takes the connections in turn, so that each gets requests.
    bool begin_next() {
        bool kept = options_.mode == Mode::keepalive;
        for (std::size_t tried = 0; tried < connections_.size(); ++tried) {
            Connection& connection = connections_[next_connection_++ % connections_.size()];
            if (kept ? !connection.fd || !connection.connected || connection.asking : static_cast<bool>(connection.fd))
                continue;
            if (kept)
                ask(connection);
            else
                open(connection);
            return true;
        }
        return false;
    }

    void open(Connection& connection) {
        connection = {maps::Fd(tcp_socket(to_.address)), Clock::now()};
        connection.asking = true;
        int fd = connection.fd.get(), on = 1;
        if (fd < 0) throw std::runtime_error(fmt::format("socket: {}", std::strerror(errno)));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        bind_next_port(fd);
        if (connect(fd, address_.get(), address_.size) && errno != EINPROGRESS)
            throw std::runtime_error(fmt::format("connect to {}: {}", options_.to, std::strerror(errno)));
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {}};
        event.data.u32 = static_cast<std::uint32_t>(&connection - connections_.data());
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
        ++open_;
    }

    // Takes the ports in turn: none comes again before all others have been used.
    void bind_next_port(int fd) {
        for (std::uint32_t tried = 0; tried < ports_.count; ++tried) {
            model::SocketAddress own{
                to_.address.family() == model::Family::ipv4 ? model::Address::from_ipv4(0) : model::Address{},
                static_cast<std::uint16_t>(ports_.first + next_port_++ % ports_.count)};
            auto address = kernel_address(own);
            if (bind(fd, address.get(), address.size) == 0) return;
        }
        throw std::runtime_error("no source port is free; widen --source-ports");
    }

    void close(Connection& connection) {
        connection.fd.reset();
        --open_;
    }

    void fail(Connection& connection, int error) {
        ++errors_[std::strerror(error)];
        close(connection);
        if (!finished_ && !paced()) open(connection);
    }

    void step(Connection& connection, std::uint32_t events) {
        if (!connection.fd) return;
        if (events & EPOLLERR) {
            int error = 0;
            socklen_t size = sizeof(error);
            getsockopt(connection.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
            return fail(connection, error);
        }
        if (!connection.connected && events & EPOLLOUT) {
            connection.connected = true;
            if (paced() && options_.mode == Mode::keepalive)
                connection.asking = false;  // until it is its turn
            else
                ask(connection);
        }
        if (options_.mode == Mode::upload && events & EPOLLOUT) pour(connection);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) take(connection);
    }

    void ask(Connection& connection) {
        if (options_.mode == Mode::keepalive) connection.begin = Clock::now();
        connection.asking = true;
        if (send(connection.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) fail(connection, errno);
    }

    void pour(Connection& connection) {
        while (!finished_ && connection.fd) {
            ssize_t sent = send(connection.fd.get(), bulk_.data(), bulk_.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN ? void() : fail(connection, errno);
            bytes_ += counts() ? static_cast<std::uint64_t>(sent) : 0;
            if (Clock::now() >= end_) return;
        }
    }

    // Reads everything that has arrived: the answer, and perhaps the end of the connection.
    void take(Connection& connection) {
        for (;;) {
            ssize_t got = recv(connection.fd.get(), bulk_.data(), bulk_.size(), 0);
            if (got < 0) return errno == EAGAIN ? void() : fail(connection, errno);
            if (got == 0) return ended(connection);
            if (counts(connection))
                latencies_.push_back(static_cast<std::uint32_t>((Clock::now() - connection.begin).count()));
            connection.answered = true;
            connection.asking = false;
            if (options_.mode != Mode::keepalive) continue;
            if (finished_) return close(connection);
            if (paced()) return;
            return ask(connection);
        }
    }

    void ended(Connection& connection) {
        bool early = !connection.answered && options_.mode != Mode::upload;
        if (early) return fail(connection, ECONNRESET);
        close(connection);
        if (!finished_ && !paced()) open(connection);
    }

    void finish() {
        if (finished_) return;
        finished_ = true;
        busy_ = busy_cpu_seconds() - busy_begin_;
        if (paced())
            for (auto& connection : connections_)
                if (connection.fd && !connection.asking) close(connection);
        if (options_.mode != Mode::upload) return;
        for (auto& connection : connections_) shutdown(connection.fd.get(), SHUT_WR);
    }

    double microseconds(double share) {
        if (latencies_.empty()) return 0;
        return quantile(latencies_, share) / 1000.0;
    }

    Options options_;
    model::SocketAddress to_;
    KernelAddress address_;
    Range ports_;
    std::uint32_t next_port_ = 0;
    maps::Fd epoll_;
    std::vector<Connection> connections_;
    std::array<char, request_size> request_{};
    std::vector<char> bulk_ = std::vector<char>(bulk_size);
    Clock::duration patience_, interval_;
    Clock::time_point start_, end_;
    Clock::time_point due_, next_check_;  // at a pace
    std::size_t next_connection_ = 0;
    bool finished_ = false;
    double busy_begin_ = -1, busy_ = 0;  // CPU time of the whole machine: clients, nodes and servers
    std::size_t open_ = 0, unanswered_ = 0;
    std::uint64_t bytes_ = 0;
    std::vector<std::uint32_t> latencies_;  // nanoseconds
    std::map<std::string, std::uint64_t> errors_;
};

void Load::report() {
    std::uint64_t failed = unanswered_;
    std::string errors;
    for (const auto& [what, count] : errors_) {
        failed += count;
        errors += fmt::format("{}\"{}\":{}", errors.empty() ? "" : ",", what, count);
    }
    if (unanswered_) errors += fmt::format("{}\"no answer\":{}", errors.empty() ? "" : ",", unanswered_);
    if (options_.mode == Mode::upload) {
        fmt::print("{{\"bits_per_second\":{:.0f}", static_cast<double>(bytes_) * 8 / options_.seconds);
    } else {
        fmt::print("{{\"per_second\":{:.1f},\"requests\":{},\"cpu_us\":{:.2f}",
                   static_cast<double>(latencies_.size()) / options_.seconds, latencies_.size(),
                   busy_ * 1e6 / static_cast<double>(std::max<std::size_t>(latencies_.size(), 1)));
        fmt::print(",\"slow\":{}", std::ranges::count_if(latencies_, [](auto ns) { return ns > slow.count(); }));
        for (auto [name, share] : {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}})
            fmt::print(",\"{}_us\":{:.1f}", name, microseconds(share));
    }
    fmt::print(",\"failed\":{},\"errors\":{{{}}}}}\n", failed, errors);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    Options options;
    CLI::App app(
        "Keeps a number of requests to weir-bench-serve under way and prints rate and latencies as JSON.\n"
        "  connect    a connection for each request; the server closes it\n"
        "  keepalive  one request after the other on connections that stay\n"
        "  upload     as many bytes as go");
    app.add_option("to", options.to, "ADDRESS:PORT or [ADDRESS]:PORT")->required();
    app.add_option("--mode", options.mode, "")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Mode>{
            {"connect", Mode::connect}, {"keepalive", Mode::keepalive}, {"upload", Mode::upload}}));
    app.add_option("--connections", options.connections, "Requests under way")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "Time that counts")
        ->check(CLI::Range(0.01, 600.0))
        ->capture_default_str();
    app.add_option("--warm-up", options.warm_up, "Seconds before")->check(CLI::Range(0.0, 60.0))->capture_default_str();
    app.add_option(
           "--rate", options.rate,
           "Requests begun per second, whether others are answered or not; all of them count that begin in time\n"
           "(default: the next one begins when one is answered). Not with upload")
        ->check(CLI::Range(0.1, 1e6));
    app.add_option("--patience", options.patience,
                   "Seconds after which a request has failed (without --rate: counted from the end)")
        ->check(CLI::Range(0.01, 60.0))
        ->capture_default_str();
    app.add_option("--source-ports", options.source_ports, "FIRST-LAST, used in turn")->capture_default_str();
    app.add_option("--cpu", options.cpu, "CPU to run on");
    return run_tool(app, argc, argv, [&] {
        auto to = weir::model::SocketAddress::parse(options.to);
        if (!to) throw std::invalid_argument(options.to + " is no ADDRESS:PORT or [ADDRESS]:PORT");
        if (options.cpu >= 0) pin_to_cpu(options.cpu);
        Load load(options, *to);
        load.run();
        load.report();
    });
}
