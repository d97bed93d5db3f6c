# SPDX-License-Identifier: Apache-2.0
# The target tidy: clang-tidy over every source of the libraries, again only where a source or one of its headers has
# changed. Version 19 at least, the first that parses <expected>. Without it there is no such target.
find_program(CLANG_TIDY NAMES clang-tidy-19 clang-tidy)
if(CLANG_TIDY)
    execute_process(COMMAND ${CLANG_TIDY} --version OUTPUT_VARIABLE version)
    string(REGEX MATCH "version ([0-9]+)" version "${version}")
    if(CMAKE_MATCH_1 GREATER_EQUAL 19)
        set(WEIR_TIDY ON)
        add_custom_target(tidy)
    endif()
endif()

# weir_tidy(TARGET): the sources of a library are a part of the target tidy.
function(weir_tidy target)
    if(NOT WEIR_TIDY)
        return()
    endif()
    # Not the command of compile_commands.json: its precompiled headers are another compiler's.
    set(folders $<FILTER:$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>,EXCLUDE,^/usr/include$>)
    set(definitions $<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>)
    get_target_property(sources ${target} SOURCES)
    set(stamps)
    foreach(source ${sources})
        file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
        set(stamp ${PROJECT_BINARY_DIR}/tidy/${name})
        get_filename_component(folder ${stamp} DIRECTORY)
        file(MAKE_DIRECTORY ${folder})
        add_custom_command(OUTPUT ${stamp}
            # It counts the warnings of system headers on its standard error: shown only when something is wrong.
            COMMAND sh -c "\"$@\" 2>\"$0.log\" || (cat \"$0.log\" && false)" ${stamp}
                ${CLANG_TIDY} --quiet ${source} -- -std=c++23 -DNDEBUG
                "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>" "$<$<BOOL:${folders}>:-I$<JOIN:${folders},;-I>>"
            COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
            # The object stands for the headers that its source includes.
            DEPENDS ${source} ${PROJECT_SOURCE_DIR}/.clang-tidy
                ${PROJECT_BINARY_DIR}/CMakeFiles/${target}.dir/${name}${CMAKE_CXX_OUTPUT_EXTENSION}
            COMMENT "clang-tidy ${name}"
            COMMAND_EXPAND_LISTS
            VERBATIM)
        list(APPEND stamps ${stamp})
    endforeach()
    add_custom_target(tidy_${target} DEPENDS ${stamps})
    add_dependencies(tidy tidy_${target})
endfunction()
