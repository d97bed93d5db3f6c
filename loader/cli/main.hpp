// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weir::cli {

// Exit codes: 0 done, 1 failed with a reason on stderr, 2 wrong usage.
int run_command_line(int argc, char** argv);

}  // namespace weir::cli
