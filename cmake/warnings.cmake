# Turns on our warnings for `target` alone; who uses Heddle never inherits them.
function(heddle_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wold-style-cast)
  # GCC 12 warns of overlapping copies inside std::string that cannot be (GCC bug 105651).
  if("${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION}" MATCHES "^GNU-12")
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  # GCC's manual: sanitizers lead to false positives of this warning.
  if(HEDDLE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
  # Only on the compilers that we test with: the new warning of a newer one must stop nobody.
  string(REGEX MATCH "^[0-9]+" major "${CMAKE_CXX_COMPILER_VERSION}")
  if(HEDDLE_WERROR AND "${CMAKE_CXX_COMPILER_ID}-${major}" MATCHES "^(GNU-12|Clang-19)$")
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
