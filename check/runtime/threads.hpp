#pragma once
// What happens when threads begin and end.

#include "engine.hpp"

namespace heddle::check::rt {

/// Robust mutexes of a dead thread go on with EOWNERDEAD.
void orphan_locks(thread* t);

/// Runs the destructors of thread_local objects and thread-specific data, as the C library would.
void run_thread_destructors();

thread* thread_of(pthread_t handle);

/// As pthread_create() and pthread_join(), for a caller at `pc` that has the turn.
int create_thread(pthread_t* into,
                  const pthread_attr_t* attributes,
                  void* (*start)(void*),
                  void* argument,
                  u64 pc);
int join_thread(pthread_t handle, void** result, i64 deadline, u64 pc);

} // namespace heddle::check::rt
