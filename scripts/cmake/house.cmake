# SPDX-License-Identifier: Apache-2.0
# The rooms of the house: a folder of the loader is a library that links only rooms that stand below it. The linker does
# not see an include that crosses a wall, so tests/house compares every #include with what is stated here.

# weir_room(NAME [FOLDER folder] [ROOMS room...] [LINKS library...]): the library weir_NAME of loader/NAME. Sources are
# found by folder: a new file needs no line here.
function(weir_room name)
    cmake_parse_arguments(room "" "FOLDER" "ROOMS;LINKS" ${ARGN})
    if(NOT room_FOLDER)
        set(room_FOLDER loader/${name})
    endif()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${room_FOLDER}/*.cpp)
    add_library(weir_${name} STATIC ${sources})
    foreach(below ${room_ROOMS})
        if(NOT TARGET weir_${below})
            message(FATAL_ERROR "${room_FOLDER} cannot link ${below}: it does not stand below")
        endif()
        target_link_libraries(weir_${name} PUBLIC weir_${below})
    endforeach()
    target_link_libraries(weir_${name} PUBLIC ${room_LINKS})
    weir_precompile(weir_${name} weir_maps)
    weir_tidy(weir_${name})
    set_property(GLOBAL APPEND_STRING PROPERTY WEIR_HOUSE "${room_FOLDER}: ${room_ROOMS}\n")
endfunction()

# Writes the rooms and their arrows where tests/house reads them: a line each, "folder: room;room".
function(weir_house_done)
    get_property(house GLOBAL PROPERTY WEIR_HOUSE)
    file(WRITE ${CMAKE_BINARY_DIR}/house.txt "${house}")
endfunction()
