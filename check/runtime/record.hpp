#pragma once
// What is known of places and objects, and the record of a run that the story is told from.

#include "engine.hpp"

namespace heddle::check::rt {

/// Adds a line to the record; null when this run keeps none.
event* record(op kind, u64 address, u64 pc, u64 aux = 0);

/// As record() for an access; a write's new value is read when its thread comes by again.
event* record_access(op kind, u64 address, u32 size, u64 pc);

/// Completes the last write of `t`. Exact: nobody else ran since.
void flush_write(thread* t);

/// Reads up to 8 bytes of the program's memory.
u64 value_at(u64 address, u32 size);

/// Where `address` lives.
object object_at(u64 address);

/// Lists the loaded modules in the channel; called once, before the first run.
void list_modules();

/// Whether a module of the program (no library of the system) asked for calls at its unloading.
bool has_unload_functions();

/// Whether `pc` is in code that the finder does not see through (the C and C++ libraries, itself).
bool in_system_module(u64 pc);
bool in_cxx_library(u64 address);

/// As here(), by the unwinder, which also sees through uninstrumented callers. Slow.
frames unwound_here(u64 pc);

} // namespace heddle::check::rt
