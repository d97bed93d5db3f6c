// SPDX-License-Identifier: Apache-2.0
#include "loader/cli/main.hpp"

int main(int argc, char** argv) {
    return weir::cli::run_command_line(argc, argv);
}
