// SPDX-License-Identifier: Apache-2.0
// The frame that the benchmarks' programs share around their work.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

namespace weir::bench {

// Reads the command line, does the work and reports errors on stderr. Returns the exit code of main.
template <class Work>
int run_tool(CLI::App& app, int argc, char** argv, Work work) {
    try {
        app.parse(argc, argv);
        work();
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}: {}\n", std::filesystem::path(argv[0]).filename().string(), error.what());
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace weir::bench
