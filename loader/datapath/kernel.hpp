// SPDX-License-Identifier: Apache-2.0
// Features of the kernel and the host, asked for once at the start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::datapath {

// bpf_fib_lookup can tell the preferred source address (BPF_FIB_LOOKUP_SRC, Linux >= 6.7).
bool kernel_has_fib_source();

// Returns the cookie of this thread's network namespace, as bpf_get_netns_cookie tells it (SO_NETNS_COOKIE). Empty: no
// socket could be made.
std::optional<std::uint64_t> netns_cookie();

// Removes an empty directory tree of pins; files in it are removed too (unpinning them).
void remove_pins(const std::string& pin_root);

}  // namespace weir::datapath
