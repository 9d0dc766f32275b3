#pragma once
// What ends a run, or is found on the way.

#include "engine.hpp"

namespace heddle::check::rt {

void report_race(const access& first, const access& second, u64 second_pc);

[[noreturn]] void fail_use_after_free(u64 address, u32 size, bool write, u64 pc);
[[noreturn]] void
fail_dead_frame(u64 address, u32 size, bool write, u64 pc, u32 owner, const dead_frame& gone);
[[noreturn]] void fail_double_free(u64 address, u64 pc);

/// Nobody can run: notes who waits for what, which is what is told in the end, whatever comes next.
void note_blocked();
[[noreturn]] void fail_blocked();
[[noreturn]] void fail_steps();
[[noreturn]] void fail_diverged(u64 step, u64 wanted, u64 found);
[[noreturn]] void fail_text(failure kind, const char* text, u64 signature, u64 pc);
[[noreturn]] void fail_crash(int signal, u64 pc, u64 address);

/// Nobody can run. Ends the run when it is for a signal that the program never sends itself.
void give_up_if_signals_come_from_outside(); // calls_signal.cpp

/// Ends the run when `t`, which just began to wait, closes a cycle of lock waits.
void look_for_cycle(thread* t);

/// True when this failure has been seen before; otherwise it counts as seen from now on.
bool known(u64 signature);

/// Takes the signals of crashes, so that they are told with their place.
void install_crash_handlers();

} // namespace heddle::check::rt
