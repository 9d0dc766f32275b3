#pragma once
// File descriptors under control: who waits for input or room gives the turn away, and what comes
// through a descriptor happened before it is taken out.
//
// A thread never sleeps in the kernel for a descriptor as long as another one can run: it waits
// like for a semaphore, and whoever does something with any descriptor wakes those for whom the
// kernel has become ready. Only when nobody can run, the process waits for the world outside, for a
// short time. Timer descriptors are counters that the virtual clock feeds.

#include "engine.hpp"

#include <poll.h>

namespace heddle::check::rt {

/// An operation on `fd` of the calling thread, which has the turn: a scheduling point, if the
/// program itself is at `pc`. `kind` is op::poll, op::input or op::output.
void descriptor_point(op kind, int fd, u64 pc);

/// Waits until one of them is ready, as poll() says; false when the deadline came first.
bool wait_for_descriptors(pollfd* all, u64 count, i64 deadline, u64 pc);

/// Waits until `fd` is ready for `events`, unless its calls do not block; false when the time that
/// its socket allows for that is over.
bool wait_for_descriptor(int fd, short events, u64 pc);

/// To be called before something goes into `fd`, and after something came out of it.
void release_through(int fd);
void acquire_through(int fd);

/// Something came out of a descriptor that is not known: of which poll() and its kin tell.
void acquire_through_any();

/// Wakes those who wait for a descriptor that is ready now; to be called after every operation.
/// True when there are any.
bool wake_ready();

/// Nobody can run. True when somebody can after all, because of something outside of the process;
/// false when nobody waits for that. Ends the run when nothing comes.
bool wait_for_outside();

/// Both ends belong to this process, so what nobody here sends never comes.
void note_internal(int fd, bool internal);
bool is_internal(int fd);

/// Timers on the virtual clock; `fd` is an event counter. `due`: never to disarm.
void arm_timer(int fd, i64 due, i64 interval);
void timer_of(int fd, i64& due, i64& interval);

} // namespace heddle::check::rt
