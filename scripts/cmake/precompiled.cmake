# SPDX-License-Identifier: Apache-2.0
# Headers that nearly every source includes, parsed once: a third of what a small source costs. Those of Boost are not
# among them: loading them costs every source what few of them gain. Sources still include what they use (scripts/tidy
# compiles each without this).
set(WEIR_PRECOMPILED
    <algorithm> <array> <charconv> <chrono> <compare> <cstdint> <cstring> <expected> <filesystem> <fstream> <functional>
    <map> <memory> <optional> <set> <span> <string> <string_view> <system_error> <tuple> <unordered_map> <unordered_set>
    <utility> <variant> <vector> <fmt/format.h>)

# weir_precompile(TARGET OWNER): TARGET uses what OWNER has precompiled; OWNER itself precompiles it. The two are to have
# the same flags, and TARGET all definitions that OWNER has.
function(weir_precompile target owner)
    if(target STREQUAL owner)
        target_precompile_headers(${target} PRIVATE ${WEIR_PRECOMPILED} ${ARGN})
    else()
        target_precompile_headers(${target} REUSE_FROM ${owner})
    endif()
    # ccache knows a precompiled header only so.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endfunction()
