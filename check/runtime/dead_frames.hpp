#pragma once
// Use after return: a thread uses a local of another thread's function, and nothing tells it that
// the function has not returned.
//
// The end of a function is an event of its thread: all of the stack below the frame's end dies at
// that moment of the thread's own time. Another thread may use an address only if no end above it
// is unordered with what it knows of that thread. So the bug is found by happens-before, as a data
// race is, whatever the new owner of the memory does with it.
//
// A thread keeps its ends in a list. An end of more of the stack hides what ended below it before;
// with those left out, the list falls in address as it rises in time. While recording all are
// kept: the story names the function whose end came first, for that one the pointer was made.

#include "engine.hpp"

namespace heddle::check::rt {

/// The calling thread returns from the function that `left` describes; its stack pointer is `low`,
/// and `pc` is where. Call when others could race with it.
void end_frame(thread* t, const call& left, u64 low, u64 pc);

/// All of the calling thread's stack is gone: it ends.
void end_stack(thread* t);

/// The calling thread uses an address that is not in its own stack; ends the run if it lies in a
/// part of another one's that may be gone.
void check_frame(u64 address, u32 size, bool write, u64 pc);

} // namespace heddle::check::rt
