#pragma once
// Loops without a memory access. Of `while (!stop) {}` on a plain variable an optimising compiler
// leaves one read and a jump to itself: no hook comes by any more, and no thread can end it.

#include "../runtime/protocol.hpp"

#include <sys/types.h>

namespace heddle::check {

/// Looks at a running thread. When all that it does is to go round a few jumps and tests of
/// registers, which nobody else can change, it goes on in the runtime's function at `refuge`
/// instead, and the answer is true. The thread is stopped for some microseconds. Always false on
/// other machines than x86-64 and where threads may not be traced.
bool leave_endless_loop(pid_t thread, u64 refuge);

} // namespace heddle::check
