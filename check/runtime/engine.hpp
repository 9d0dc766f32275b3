#pragma once
// The engine: threads are real threads of the system, but only one has the turn. See README.md.
//
// The default schedule, from which a run's choices are departures: the running thread goes on; when
// it cannot, or yields, the next one in order of creation that can run follows; when none can, the
// clock jumps to the first deadline.

#include "../search/strategy.hpp"
#include "clock.hpp"

#include <pthread.h>

namespace heddle::check::rt {

inline constexpr u32 stack_capacity = 2048;
inline constexpr i64 never = -1;

struct call {
    u64 pc;     // where the caller goes on
    u64 cfa;    // of the called function's frame; known only while recording
    u64 inside; // a code address in the called function; likewise
};

struct exit_function;

struct thread {
    enum state_t : u32 { ready, blocked, finished };

    u32 id;
    u32 turn; // futex word: 1 = it is this thread's turn. Protocol in README.md.
    state_t state;
    bool timed_out, spinning, detached, joined, canceled, at_main_end, external_end;

    // while blocked
    wait_for waiting;
    bool sleeping; // its wait may end at any time: time is not ours to promise
    u64 wait_address, wait_since, wait_value;
    i64 deadline;
    frames wait_where;
    u64 wait_key;

    // what it does next, for the strategies
    op pending;
    bool pending_writes;
    u64 pending_address, pending_pc, serial;

    u32 quiet;  // reads since it last changed anything
    u32 yields; // in a row, without a change
    u64 slice;  // step at which it got the turn
    u32 clock_reads;

    vector_clock clock, release_fence, acquire_fence;

    call* stack;
    u32 depth;
    event* open_write; // its new value is not known yet

    // its life
    void* (*start)(void*);
    void* argument;
    void* result;
    pthread_t handle;
    int kernel_id;
    u64 stack_low, stack_high;
    exit_function* at_exit;
    u32 once_depth;
};

struct engine {
    thread* current; // null until control begins
    u64 step;
    u64 attention; // the next step at which a plain access needs a decision
    bool plain_points, every_access, recording, controlled;
    thread* threads[max_threads];
    u32 count, alive;
    u32 asleep;   // threads that only another one can wake
    u32 unjoined; // other threads that live, or ended without the main thread knowing
    bool solo;    // main alone, and whatever others did happened before: no race is possible
    channel* shared;
    strategy* search;
    u64 hash;
    i64 jumped_ns;
    u32 next_choice;
    u64 step_limit;
    bool told_debugger;
    bool fair; // past the step limit: the default schedule decides, to be just
};

extern engine g;
extern thread_local thread* self __attribute__((tls_model("initial-exec")));

/// True when the calling thread has the turn: everything else passes uncontrolled.
inline bool has_turn() {
    return self != nullptr && self == g.current;
}

/// Makes the calling thread the main thread, once. Cheap afterwards.
void ensure_started();

/// Begins a controlled run in this process.
void begin_run();

/// The calling thread may lose its turn before it does `kind` to `address`.
void point(op kind, u64 address, u64 pc, bool writes);

/// As point() for a memory access, which is a point only when learned or when all are.
void plain_point(u64 address, u64 pc, bool write);

/// Lets others go first.
void yield_turn(op kind, u64 pc);

/// Sleeps until another thread calls wake() on this one; false when the deadline came first.
bool block(wait_for what, u64 address, i64 deadline, u64 pc, bool sleeping = false);

void wake(thread* t);

/// Threads that wait for `what` at `address`, longest waiting first.
u32 waiters(wait_for what, u64 address, thread** into);

/// Wakes them all; says how many.
u32 wake_all(wait_for what, u64 address);

/// Which of `n` waiters gets it: a recorded choice.
u32 choose_waiter(u32 n);

/// Registers a thread that is about to be created.
thread* new_thread();

/// First thing that a new thread does: waits for its turn.
void begin_thread(thread* t);

/// The calling thread ends: hands the turn on and returns at once, without it.
void end_thread();

/// Nanoseconds since the run began, on the program's clock.
i64 clock_ns();
void note_limit(limit what);

/// A number for the place: the same whether the run is recorded or not.
u64 place_key(u64 pc);

/// The place of the calling thread: `pc` and who called it.
frames here(u64 pc);

/// A learned place (both sides of a conflict); ids are stable for a seed.
u32 location_id(u64 pc);
void learn(u64 pc, u32 level);

/// One number per object of the program, by first appearance.
u32 object_id(u64 address);

} // namespace heddle::check::rt
