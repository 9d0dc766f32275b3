# cmake -D program=PATH -D expected=FILE -P run_example.cmake: runs the program, which must succeed
# and, where FILE exists, print exactly what stands in it.
execute_process(COMMAND ${program} RESULT_VARIABLE status OUTPUT_VARIABLE printed)
message("${printed}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${program} ended with ${status}")
endif()
if(EXISTS "${expected}")
  file(READ "${expected}" wanted)
  if(NOT printed STREQUAL wanted)
    message(FATAL_ERROR "what it printed differs from ${expected}, which says:\n${wanted}")
  endif()
endif()
