#pragma once
// The engine: threads are real threads of the system, but only one has the turn. See README.md.
//
// The default schedule, from which a run's choices are departures: the running thread goes on; when
// it cannot, or yields, the next one in order of creation that can run follows; when none can, the
// clock jumps to the first deadline.

#include "../search/strategy.hpp"
#include "clock.hpp"
#include "spinning.hpp"

#include <poll.h>
#include <pthread.h>

namespace heddle::check::rt {

inline constexpr u32 max_depth = 1u << 16; // of the calls that are kept in mind
inline constexpr i64 never = -1;

struct call {
    u64 pc;     // where the caller goes on
    u64 cfa;    // of the called function's frame; known only while recording
    u64 inside; // a code address in the called function
    u64 low;    // its stack pointer
};

/// A function that has returned, see dead_frames.hpp.
struct dead_frame {
    u64 low, end; // its frame, as far as it was known
    u64 time;     // of its thread, as in thread::epoch
    u64 step;
    u64 inside; // a code address in it; 0 when the thread itself has ended
    u64 pc;     // where it returned, and where to
    u64 back;
};

struct exit_function;

struct thread {
    enum state_t : u32 { ready, blocked, finished };

    u32 id;
    u32 turn; // futex word: 1 = it is this thread's turn. Protocol in README.md.
    state_t state;
    bool timed_out, spurious, spinning, detached, joined, canceled, at_main_end, external_end;

    // while blocked
    wait_for waiting;
    bool sleeping; // its wait may end at any time: time is not ours to promise
    u64 wait_address, wait_since;
    u64 wait_value; // of a futex: the word that it sleeps on; of a condition: the mutex
    i64 deadline;
    frames wait_where;
    u64 wait_key;
    pollfd* wait_descriptors; // see descriptors.hpp
    u64 wait_count;

    // what it does next, for the strategies
    op pending;
    bool pending_writes;
    u64 pending_address, pending_pc, serial;
    u64 intent;      // operands of an atomic operation, set before its point
    bool again;      // it is about the same object as the operation before
    u32 locks;       // that it holds; semaphores taken and not given back count, too
    bool goes_round; // it has done the same before, and changed nothing since: see spinning.hpp
    spin_memory spin;

    // Steps as this thread counts them: put forward by what others do while it waits for its turn.
    u64 changed_at; // when it last changed anything
    u64 yielded_at; // when it last yielded
    u64 gave_at;    // when it last gave its turn away
    u64 missed;     // by how much changed_at was put forward in all, without a change
    u64 slice;      // when it got its turn, or had to let others decide last
    u64 own_steps;  // that it made in its turns before this one, which began at:
    u64 turn_began;
    u32 next_choice; // index of the first that it may still have to follow
    u32 yields;      // in a row, without a change
    u32 clock_reads;

    vector_clock clock, release_fence, acquire_fence;
    u64 epoch; // its id and own time, as the shadow keeps them: see advance_clock()

    call* stack;
    u32 depth; // may be more than `room`: what lies deeper is not known
    u32 room;
    event* open_write; // its new value is not known yet
    dead_frame* dead;  // the functions that it has left
    u32 dead_count, dead_room;
    u64 lent_low, lent_high; // what others have used of its stack lies in between

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

struct cell; // shadow.hpp

struct alignas(64) engine {
    // What every memory access looks at, in one cache line and a bit.
    thread* current; // null until control begins
    u64 step;
    u64 usual_until;  // before this step nothing else is to be looked at; 0 when solo or watching
    cell** shadow;    // see shadow.hpp
    u64 attention;    // from this step on, a plain access is more than a look at the shadow
    location* places; // of the channel
    u64 heap_begin, heap_size;
    bool solo;     // main alone, and whatever others did happened before: no race is possible
    bool watching; // plain accesses at learned places are points
    u64 alarm;     // the next step at which something is to be done whatever the access
    bool plain_points, every_access, recording, controlled;
    u32 count, alive;
    u32 asleep;   // threads that only another one can wake
    u32 unjoined; // other threads that live, or ended without the main thread knowing
    channel* shared;
    strategy* search;
    u64 hash;
    i64 jumped_ns;
    u64 stacks_low, stacks_high; // all threads' stacks lie in between
    u32 next_choice;
    u32 plain_seen; // points at plain accesses so far
    u32 spurious;   // wake-ups so far
    u64 step_limit;
    bool told_debugger;
    bool fair;          // past the step limit: the default schedule decides, to be just
    bool looking_again; // see second_look.hpp
    thread* threads[max_threads];
};

extern engine g;
extern constinit thread_local thread* self __attribute__((tls_model("initial-exec")));

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

/// For a memory access at or after g.attention, or at a learned place; the caller has counted the
/// step. As point(), if this access is to be one.
void plain_point(u64 address, u64 pc, bool write);

/// Steps of the calling thread since it last changed anything.
inline u64 quiet_steps() {
    return g.step - self->changed_at;
}

/// After a point that turned out to change nothing, a failed attempt: it may be a spin loop.
inline void still_quiet(u64 steps_before) {
    self->changed_at = g.step - steps_before - 1;
}

/// Finds out when something is to be done whatever the access; after a change of turn or choice.
void set_alarm();

/// To be called when `alive`, `asleep` or `unjoined` has changed.
void count_changed();

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

inline constexpr u64 learned_bit = u64{1} << 63;

inline u64 place_pc(const location& l) {
    return l.pc & ~learned_bit;
}

/// Index of the place in channel::locations, added when new; 0 when there are too many.
inline u32 location_of(u64 pc) {
    location* all = g.places;
    u32 i = static_cast<u32>(pc >> 2) % max_locations; // neighbours stay neighbours: few pages
    for (u32 tries = 0; tries < 64; ++tries, i = (i + 1) % max_locations) {
        if (i == 0) continue;
        if (place_pc(all[i]) == pc) return i;
        if (all[i].pc != 0) continue;
        all[i].pc = pc;
        return i;
    }
    return 0;
}

/// The learned place's number, 0 for others; ids are stable for a seed.
inline u32 location_id(u64 pc) {
    return g.places[location_of(pc)].id;
}

/// True for most places that are not learned, at once; for the others location_id() tells.
inline bool surely_unlearned(u64 pc) {
    return g.places[static_cast<u32>(pc >> 2) % max_locations].pc == pc;
}

void learn(u32 location, u16 level);

/// Operations on synchronisation are learned as soon as there is somebody to compete with.
inline void learn_operation(u64 pc) {
    if (g.alive > 1) learn(location_of(pc), 1);
}

/// What the calling thread does from now on is unknown to those who have acquired its clock.
void advance_clock(thread* t);

/// One number per object of the program, by first appearance.
u32 object_id(u64 address);

} // namespace heddle::check::rt
