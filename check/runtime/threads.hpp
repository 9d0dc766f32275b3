#pragma once
// What happens when threads begin and end.

#include "engine.hpp"

namespace heddle::check::rt {

/// Robust mutexes of a dead thread go on with EOWNERDEAD.
void orphan_locks(thread* t);

/// Runs the destructors of thread_local objects and thread-specific data, as the C library would.
void run_thread_destructors();

thread* thread_of(pthread_t handle);

} // namespace heddle::check::rt
