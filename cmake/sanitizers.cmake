# HEDDLE_SANITIZE applies to everything below this directory: a sanitizer that sees only half of a
# program reports what is not there.
if(HEDDLE_SANITIZE STREQUAL "address")
  set(heddle_sanitizer -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(HEDDLE_SANITIZE STREQUAL "thread")
  set(heddle_sanitizer -fsanitize=thread)
elseif(HEDDLE_SANITIZE)
  message(FATAL_ERROR "HEDDLE_SANITIZE is '${HEDDLE_SANITIZE}'; use address, thread or nothing")
endif()
if(HEDDLE_SANITIZE)
  add_compile_options(${heddle_sanitizer} -fno-omit-frame-pointer)
  add_link_options(${heddle_sanitizer})
endif()

# What to start a test program with. TSan cannot map its shadow memory where the kernel randomises
# more address bits than it expects (vm.mmap_rnd_bits above 28); some containers forbid setarch.
set(heddle_launcher "")
if(HEDDLE_SANITIZE STREQUAL "thread")
  execute_process(COMMAND setarch -R true RESULT_VARIABLE setarch_failed OUTPUT_QUIET ERROR_QUIET)
  if(NOT setarch_failed)
    set(heddle_launcher setarch -R)
  endif()
endif()
