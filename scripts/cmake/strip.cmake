# SPDX-License-Identifier: Apache-2.0
# weir_strip(TARGET): the symbols of an executable go to a file beside it, TARGET.debug, where gdb and perf look for it.
function(weir_strip target)
    set(file $<TARGET_FILE:${target}>)
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_OBJCOPY} --only-keep-debug ${file} ${file}.debug
        COMMAND ${CMAKE_OBJCOPY} --strip-all --add-gnu-debuglink=${file}.debug ${file}
        BYPRODUCTS ${target}.debug
        VERBATIM)
endfunction()
