#pragma once
// Threads that go round a loop until somebody else changes something. To run one of them on is no
// step of the program: it would see what it saw before. The strategies let others go first and
// spend no choice on it; the default schedule does so after some rounds.
//
// A thread remembers the atomic operations that changed nothing, failed attempts at a lock and
// yields, as long as it changes nothing itself. About to do one of them again, it *goes round*; it
// *sees the same* while all that it saw on its round is as it was. What loops do in the end is
// learned: one that was left because something had changed waits, and its threads *only wait* from
// their second round on; one that was left although nothing had counts its rounds (spin some times,
// then sleep), and its threads never only wait. Plain variables are not looked at. So it is a
// guess, and nothing is decided by it that another choice could not decide otherwise.

#include "base.hpp"

namespace heddle::check::rt {

struct thread;

/// An operation that changed nothing.
struct fruitless {
    u64 pc, address, intent; // intent: operands; with another one it is another operation
    u64 value;               // what it found; of a lock, who holds it
    u32 size;                // of the variable; 0: nothing to look at
    bool is_lock;
    u32 place; // filled in by note_fruitless()
};

inline constexpr u32 longest_round = 8; // operations

struct spin_memory {
    fruitless seen[longest_round];
    u32 count;
    u32 repeats;    // operations in a row that found just what they had found before
    u64 generation; // when the thread last changed something, see spinning.cpp
};

/// The calling thread is about to do this: whether it goes round. Notices loops that are left.
bool look_for_round(u64 pc, u64 address, u64 intent);

/// The operation of the calling thread is done, and changed nothing.
void note_fruitless(const fruitless& what);

/// What a replay knows of as well: the default schedule goes by it.
bool sees_the_same_for_long(const thread* t);

/// Whether no thread will ever change anything again: all that live sleep, or have gone round very
/// many times and seen the same. A replay knows of it as well.
bool all_spin_for_ever();

/// What the strategies go by.
bool only_waits(const thread* t);

} // namespace heddle::check::rt
