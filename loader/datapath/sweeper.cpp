// SPDX-License-Identifier: Apache-2.0
#include "loader/datapath/sweeper.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <system_error>

namespace weir::datapath {

std::expected<abi::sweep_result, std::string> sweep_once(int program_fd) {
    abi::sweep_result result{};
    // The kernel writes back to ctx_in; a ctx_out it refuses (bpf_prog_test_run_syscall).
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &result, .ctx_size_in = sizeof(result));
    if (int error = bpf_prog_test_run_opts(program_fd, &options); error < 0)
        return std::unexpected(
            fmt::format("the flow sweeper did not run: {}", std::generic_category().message(-error)));
    return result;
}

Sweeper::Sweeper(boost::asio::io_context& io, const Programs& programs, Done done)
    : io_(io),
      program_fd_(programs.sweep_fd()),
      done_(std::move(done)),
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

void Sweeper::work(std::stop_token stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [this] { return requested_; })) return;
            requested_ = false;
        }
        auto result = sweep_once(program_fd_);
        boost::asio::post(io_, [this, result] { done_(result); });
    }
}

}  // namespace weir::datapath
