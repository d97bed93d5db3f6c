// SPDX-License-Identifier: Apache-2.0
#include "loader/apply/sweeper.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <system_error>

namespace weir::apply {

namespace {

// Waits until every program that runs now has ended: membarrier() calls synchronize_rcu() (kernel/sched/membarrier.c).
// The kernel refuses that with nohz_full.
void wait_for_programs() {
    if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

std::expected<abi::sweep_result, std::string> sweep_once(int program_fd) {
    abi::sweep_result result{};
    // The kernel writes the result back to ctx_in and refuses a ctx_out (bpf_prog_test_run_syscall).
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &result, .ctx_size_in = sizeof(result));
    if (int error = bpf_prog_test_run_opts(program_fd, &options); error < 0)
        return std::unexpected(
            fmt::format("the flow sweeper did not run: {}", std::generic_category().message(-error)));
    return result;
}

std::expected<Sweep, std::string> sweep_and_read(int program_fd, const maps::SnatUsageMap& usage,
                                                 const view::SnatRange& range) {
    auto flows = sweep_once(program_fd);
    if (!flows) return std::unexpected(flows.error());
    return Sweep{*flows, view::read_snat_ports(usage, range, range.share(view::snat_low_percent))};
}

Sweeper::Sweeper(boost::asio::io_context& io, const datapath::Programs& programs, const view::SnatRange& snat_ports,
                 Done done, SocketsDone sockets_done)
    : io_(io),
      program_fd_(programs.sweep_fd()),
      snat_usage_(maps::view<maps::SnatUsageMap>(programs.map_fd("snat_usage"))),
      snat_ports_(snat_ports),
      done_(std::move(done)),
      sockets_done_(std::move(sockets_done)),
      sockets_(programs),
      thread_([this](std::stop_token stop) { work(stop); }) {}

Sweeper::~Sweeper() {
    thread_.request_stop();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Sweeper::request() {
    {
        std::lock_guard lock(mutex_);
        requested_ = true;
    }
    wake_.notify_one();
}

void Sweeper::request_after_removal() {
    {
        std::lock_guard lock(mutex_);
        requested_ = true;
        // Twice: a connect() under way may have got the old backend, and its socket is listed only later.
        socket_rounds_ = 2;
    }
    wake_.notify_one();
}

void Sweeper::work(std::stop_token stop) {
    while (!stop.stop_requested()) {
        bool sockets = false;
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [this] { return requested_; })) return;
            requested_ = false;
            if (socket_rounds_ > 0) {
                --socket_rounds_;
                sockets = true;
            }
        }
        // From here on no program uses entries that were removed before. Flows may, and the sweep finds those.
        wait_for_programs();
        auto result = sweep_and_read(program_fd_, snat_usage_, snat_ports_);
        boost::asio::post(io_, [this, result] { done_(result); });
        if (sockets) {
            auto aborted = sockets_.abort_orphans();
            boost::asio::post(io_, [this, aborted] { sockets_done_(aborted); });
        }
    }
}

}  // namespace weir::apply
