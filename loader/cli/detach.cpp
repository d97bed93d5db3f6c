// SPDX-License-Identifier: Apache-2.0
// `weir detach`: takes the datapath off every interface and removes what is pinned.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "loader/agent/state_file.hpp"
#include "loader/cli/commands.hpp"
#include "loader/datapath/attach.hpp"

namespace weir::cli {

int run_detach(const config::Config& config) {
    if (::geteuid() != 0) {
        fmt::print(stderr, "weir detach: run as root\n");
        return 1;
    }
    // The lock also keeps an agent from starting half way through.
    auto lock = agent::StateFile::create(config.datapath.pins);
    if (!lock) {
        fmt::print(stderr, "weir detach: {}\n", lock.error());
        return 1;
    }
    auto removed = datapath::detach_everything(config.datapath.pins);
    for (const auto& line : removed) fmt::print("removed {}\n", line);
    if (removed.empty()) fmt::print("nothing of weir is attached or pinned under {}\n", config.datapath.pins.root);
    return 0;
}

}  // namespace weir::cli
