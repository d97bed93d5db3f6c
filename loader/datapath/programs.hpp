// SPDX-License-Identifier: Apache-2.0
// The BPF objects of one node: maps opened from their pins or made, programs loaded.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "loader/datapath/settings.hpp"
#include "maps/abi.h"

namespace weir::datapath {

// Returns the .rodata of the programs for these settings on this kernel.
abi::datapath_config datapath_config(const Settings& settings);

class Programs {
public:
    struct Loaded;

    // Loads all programs. Maps that are pinned and of our ABI are adopted; what becomes of each, and where
    // settings.sizes says another size, is in maps::table (Restart). Maps of another ABI, or that do not fit together,
    // are replaced and the flows in them lost. New maps are pinned. The error names the program and carries the
    // verifier's or kernel's reason.
    static std::expected<Programs, std::string> load(const Settings& settings);

    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    ~Programs();

    int xdp_fd() const;
    int uplink_ingress_fd() const;
    int workload_ingress_fd() const;
    int egress_fd() const;
    int sweep_fd() const;
    // hook: connect4 ... sock_release. -1: the kernel took none of the socket programs (notes() says why).
    int socket_fd(std::string_view hook) const;
    int map_fd(std::string_view name) const;  // -1: no such map

    // True where the maps of an earlier agent were taken over.
    bool adopted() const;
    // Notes on the start for the log: maps that were replaced, programs that the kernel refused.
    const std::vector<std::string>& notes() const;
    // Sizes of the configuration that are not in force, and what to do; true as long as this agent runs.
    const std::vector<std::string>& unapplied() const;
    // Sizes in force.
    const MapSizes& sizes() const;

private:
    explicit Programs(std::unique_ptr<Loaded> loaded);
    std::unique_ptr<Loaded> loaded_;
};

}  // namespace weir::datapath
