// SPDX-License-Identifier: Apache-2.0
// The bpffs that the pin path needs: whether it is there or can be mounted. The one rule of `weir run` and `weir
// check`.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace weir::datapath {

enum class BpffsState {
    mounted,    // the pin path is on a bpffs
    mountable,  // it is below /sys/fs/bpf, where none is mounted
    elsewhere,  // it is on another file system
};

BpffsState bpffs_state(const std::string& pin_root);

// Says what to do about a state, as a clause; empty for mounted.
std::string_view bpffs_remedy(BpffsState state);

// Mounts a bpffs at /sys/fs/bpf if it is mountable there. True: it was mounted now. The error says what to do.
std::expected<bool, std::string> ensure_bpffs(const std::string& pin_root);

}  // namespace weir::datapath
