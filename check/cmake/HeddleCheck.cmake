# heddle_add_check(TARGET [SCHEDULES n] [TIME 30s] [SEED s] [ARGS ...])
#
# Adds a test "check.TARGET" that runs the program under `heddle check` and fails when a schedule
# breaks it. The target is compiled with -fsanitize=thread -g for that; what it links should be too.
# enable_testing() must have been called. After find_package(heddle) this function is there; else
# include this file.
function(heddle_add_check target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SCHEDULES;TIME;SEED" "ARGS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "heddle_add_check(${target}): unknown argument ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "heddle_add_check: there is no target ${target}; add_executable() it first")
  endif()
  target_compile_options(${target} PRIVATE -fsanitize=thread -g)
  target_link_options(${target} PRIVATE -fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang would link its runtime statically, and leave out the read of `x += 1`.
    target_link_options(${target} PRIVATE -shared-libsan)
    target_compile_options(${target} PRIVATE "SHELL:-mllvm -tsan-instrument-read-before-write=1")
  else()
    target_compile_options(${target} PRIVATE -Wno-tsan)
  endif()
  set(options --out ${CMAKE_CURRENT_BINARY_DIR}/${target}.findings)
  foreach(option SCHEDULES TIME SEED)
    if(DEFINED arg_${option})
      string(TOLOWER ${option} name)
      list(APPEND options --${name} ${arg_${option}})
    endif()
  endforeach()
  if(TARGET heddle_program)
    set(program $<TARGET_FILE:heddle_program>)
  else()
    # Installed beside this file, or in PATH.
    set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
    find_program(HEDDLE_PROGRAM heddle HINTS ${here}/../../../bin ${here}/../../../../bin)
    if(NOT HEDDLE_PROGRAM)
      message(FATAL_ERROR "heddle_add_check(${target}): the program heddle was not found; "
                          "set HEDDLE_PROGRAM to it")
    endif()
    set(program ${HEDDLE_PROGRAM})
  endif()
  add_test(NAME check.${target}
    COMMAND ${program} check ${options} -- $<TARGET_FILE:${target}> ${arg_ARGS})
endfunction()
