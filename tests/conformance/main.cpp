// SPDX-License-Identifier: Apache-2.0
// weir-conformance [-v] PATH...: runs every case in these files and folders. One line for each flow that fails (-v: for
// each flow), and the sum at the end.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "tests/conformance/runner.hpp"

namespace {

std::vector<std::string> case_files(const std::string& path) {
    if (!std::filesystem::is_directory(path)) return {path};
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        auto extension = entry.path().extension();
        if (entry.is_regular_file() && (extension == ".yaml" || extension == ".yml" || extension == ".json"))
            files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

struct Sum {
    std::size_t passed = 0, failed = 0;
};

void run_file(const std::string& file, bool verbose, Sum& sum) {
    auto of = weir::conformance::read_case(file);
    if (!of) {
        fmt::print("FAIL {}\n", of.error());
        ++sum.failed;
        return;
    }
    for (const auto& judgement : weir::conformance::run_case(*of)) {
        bool passed = judgement.failure.empty();
        ++(passed ? sum.passed : sum.failed);
        if (!passed)
            fmt::print("FAIL {}: {}: {}: {}\n", file, of->name, judgement.flow, judgement.failure);
        else if (verbose)
            fmt::print(
                "ok   {}: {}: {}{}\n", file, of->name, judgement.flow,
                judgement.difference.empty() ? "" : fmt::format(" (deliberate difference: {})", judgement.difference));
    }
}

}  // namespace

int main(int argc, char** argv) {
    bool verbose = argc > 1 && std::string_view(argv[1]) == "-v";
    std::vector<std::string> paths(argv + (verbose ? 2 : 1), argv + argc);
    if (paths.empty()) {
        fmt::print(stderr, "usage: weir-conformance [-v] FILE_OR_FOLDER...\n");
        return 2;
    }
    Sum sum;
    for (const auto& path : paths) {
        if (!std::filesystem::exists(path)) {
            fmt::print("FAIL {}: no such file or folder\n", path);
            ++sum.failed;
            continue;
        }
        for (const auto& file : case_files(path)) run_file(file, verbose, sum);
    }
    fmt::print("{} passed, {} failed\n", sum.passed, sum.failed);
    return sum.failed > 0 || sum.passed == 0 ? 1 : 0;
}
