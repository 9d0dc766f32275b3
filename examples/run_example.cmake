# cmake -D program=PATH;ARG... -D expected=FILE -D status=N -D says=REGEX -P run_example.cmake
#
# Runs the program, which must end with N; print exactly what stands in FILE, if there is such a
# file; print something on stdout or stderr that matches REGEX, if that is not empty; and print no
# escape sequences, since it does not write to a terminal.
execute_process(COMMAND ${program}
  RESULT_VARIABLE ended OUTPUT_VARIABLE printed ERROR_VARIABLE complained)
message("${printed}${complained}")
if(NOT ended STREQUAL status)
  message(FATAL_ERROR "${program} ended with ${ended} instead of ${status}")
endif()
if(EXISTS "${expected}")
  file(READ "${expected}" wanted)
  if(NOT printed STREQUAL wanted)
    message(FATAL_ERROR "what it printed differs from ${expected}, which says:\n${wanted}")
  endif()
endif()
if(says AND NOT "${printed}${complained}" MATCHES "${says}")
  message(FATAL_ERROR "nothing that it printed matches: ${says}")
endif()
string(ASCII 27 escape)
if("${printed}${complained}" MATCHES "${escape}")
  message(FATAL_ERROR "it printed an escape sequence, though not to a terminal")
endif()
