// SPDX-License-Identifier: Apache-2.0
// weir-bench-serve: a TCP server that costs little compared to the measured work.
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "maps/fd.hpp"
#include "tests/bench/cpu.hpp"
#include "tests/bench/tool.hpp"
#include "tests/bench/wire.hpp"

namespace weir::bench {
namespace {

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

class Server {
public:
    explicit Server(std::uint16_t port) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        model::SocketAddress any{{}, port};
        listener_ = maps::Fd(tcp_socket(any.address));
        int on = 1, off = 0;
        setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(listener_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        auto address = kernel_address(any);
        if (bind(listener_.get(), address.get(), address.size) || listen(listener_.get(), 4096)) fail("listening");
        watch(listener_.get());
    }

    void run() {
        std::array<epoll_event, 256> events;
        for (;;) {
            int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_.get())
                    accept_all();
                else if (!serve(fd))
                    close(fd);
            }
        }
    }

private:
    void watch(int fd) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }

    void accept_all() {
        for (int fd; (fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            if (static_cast<std::size_t>(fd) >= swallowing_.size())
                swallowing_.resize(static_cast<std::size_t>(fd) + 1);
            swallowing_[static_cast<std::size_t>(fd)] = false;
            // Often the request is there already, which saves one system call.
            if (serve(fd))
                watch(fd);
            else
                close(fd);
        }
    }

    // Returns whether the connection goes on.
    bool serve(int fd) {
        ssize_t got = recv(fd, buffer_.data(), buffer_.size(), 0);
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        auto at = static_cast<std::size_t>(fd);
        if (swallowing_[at]) return true;
        switch (static_cast<Wanted>(buffer_[0])) {
            case Wanted::answer:
                return send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL) > 0;
            case Wanted::swallow:
                return swallowing_[at] = true;
            case Wanted::answer_and_close:
                send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
        }
        return false;
    }

    maps::Fd epoll_, listener_;
    std::vector<bool> swallowing_;  // by descriptor
    std::vector<char> buffer_ = std::vector<char>(bulk_size);
    std::array<char, answer_size> answer_{};
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
    using namespace weir::bench;
    std::uint16_t port = 8080;
    int cpu = -1;
    CLI::App app("Answers weir-bench-load. Prints `ready` when it listens; runs until it is killed.");
    app.add_option("--port", port, "TCP port, on all addresses of both families")->capture_default_str();
    app.add_option("--cpu", cpu, "CPU to run on");
    return run_tool(app, argc, argv, [&] {
        if (cpu >= 0) pin_to_cpu(cpu);
        Server server(port);
        fmt::print("ready\n");
        std::fflush(stdout);
        server.run();
    });
}
