// SPDX-License-Identifier: Apache-2.0
// Enters the test node's namespace before the first test. Without BPF the run fails, so that a machine that cannot run
// the tests does not seem to pass them; WEIR_BPF_TESTS=skip skips them knowingly.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "tests/bpf/node.hpp"

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    // libbpf says why the verifier refused a program; the rest is noise.
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
        return level == LIBBPF_WARN ? std::vfprintf(stderr, format, arguments) : 0;
    });
    // The build lists the tests, which needs no kernel.
    if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
    const char* wish = std::getenv("WEIR_BPF_TESTS");
    if (wish && std::string_view(wish) == "skip") {
        std::puts("[  SKIPPED ] WEIR_BPF_TESTS=skip");  // the words that CTest knows GoogleTest's skips by
        return EXIT_SUCCESS;
    }
    try {
        weir::test::Node::enter();
        weir::test::Datapath creates_maps;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "BPF is not available: %s (WEIR_BPF_TESTS=skip skips these tests)\n", error.what());
        return EXIT_FAILURE;
    }
    return RUN_ALL_TESTS();
}
