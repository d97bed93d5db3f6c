// SPDX-License-Identifier: Apache-2.0
// Features of the kernel, found out by trying them rather than by its version. The probes leave nothing behind.
#pragma once

#include <system_error>

namespace weir::datapath {

enum class Answer { yes, no, unknown };

// Makes and drops a small map: the error that the bpf system call answers with.
std::error_code try_bpf();

// unknown: without the right to load a program it cannot be told.
Answer kernel_has_tcx();

// Tells whether the driver of an interface runs XDP programs natively and redirects from them. unknown: Linux < 6.3
// does not tell.
Answer driver_has_xdp(unsigned ifindex);
// Tells whether XDP programs of other devices may redirect frames to this one.
Answer driver_has_xdp_xmit(unsigned ifindex);

}  // namespace weir::datapath
