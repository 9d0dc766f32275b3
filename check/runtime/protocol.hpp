#pragma once
// What the tool and the checked program say to each other: one shared memory file ("the channel")
// and two pipes. Plain data only: both sides may be killed at any moment, and neither trusts more
// of it than its bounds.

#include <cstddef>
#include <cstdint>

namespace heddle::check {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;

inline constexpr u64 channel_magic = 0x316c6e6863646568; // "hedchnl1"
inline constexpr u32 protocol_version = 5;
inline constexpr u32 max_threads = 1024;
inline constexpr u32 max_frames = 24;
inline constexpr u32 max_choices = 1u << 16;
inline constexpr u32 max_checkpoints = 1u << 14;
inline constexpr u32 max_events = 1u << 18;
inline constexpr u32 max_locations = 1u << 17;
inline constexpr u32 max_decisions = 1u << 14;
inline constexpr u32 max_races = 16;
inline constexpr u32 max_blocked = 32;
inline constexpr u32 max_modules = 64;
inline constexpr u32 max_known = 1u << 12;

/// One departure from the default schedule (see engine.hpp): at scheduling step `step`, `value`
/// was chosen. The list of these is the whole input of a replay.
struct choice {
    u64 step;
    enum kind_t : u32 { thread, waiter } kind;
    u32 value;
    // The same moment as the thread that had the turn counts: its own steps. A shorter schedule
    // goes by it, since what other threads do less of does not change it.
    u64 own_step = 0;
    u32 by = 0, unused = 0;
};

/// How a run follows given choices.
enum class replaying : u32 {
    nothing,   // the strategy decides
    exactly,   // what does not fit is a divergence
    what_fits, // by the steps of the run
    by_thread  // by the steps of each thread
};

/// A moment of a recorded run where another thread could have got the turn.
struct decision {
    u64 step;
    u64 others;   // bit i: thread i could run at once, and was not chosen; none over 63
    u32 preempts; // the thread that ran could go on
    u32 unused;
};

enum class strategy_kind : u32 { in_order, reversed, random_walk, pct, pos, hold, mix, count };

/// The places where a thread may lose its turn. Only `plain` accesses can be switched off.
enum class op : u8 {
    none,
    read,
    write,
    atomic_load,
    atomic_store,
    atomic_rmw,
    fence,
    lock,
    try_lock,
    unlock,
    read_lock,
    cond_wait,
    cond_woken,
    notify_one,
    notify_all,
    sem_wait,
    sem_post,
    barrier_wait,
    futex_wait,
    futex_wake,
    signal_wait,
    signal_send,
    once,
    guard,
    create,
    start,
    join,
    detach,
    thread_end,
    sleep,
    yield,
    main_end,
    exit,
    alloc,
    free,
    poll,  // and select(), epoll_wait()
    input, // through a file descriptor: read(), accept(), ...
    output,
    fail
};

/// event::aux of op::cond_woken: 1 when it was notified, 0 when its time was up, or this.
inline constexpr u64 woken_spuriously = 2;

struct frames {
    u32 count;
    u32 unused;
    u64 pc[max_frames]; // innermost first; each a return address
};

/// Where an address lives, as far as the runtime can tell.
struct object {
    enum kind_t : u32 { unknown, module, heap, stack } kind;
    u32 thread;    // of a stack: whose; of a heap block: who allocated it
    u64 base;      // of a heap block
    u64 size;      // of a heap block
    u64 frame_pc;  // of a stack: an address in the function that owns the frame
    u64 frame_cfa; // of a stack: its canonical frame address
    frames site;   // of a heap block: where it was allocated
};

/// One line of the record of a run.
struct event {
    u64 step;
    u32 thread;
    op kind;
    u8 size;     // of the access; 0 when the event is none or the range is longer than 16 bytes
    u8 order;    // of an atomic operation: __ATOMIC_*
    u8 changed;  // rmw: whether it wrote (a failed compare-exchange does not)
    u64 address; // the variable, mutex, ...
    u64 before;  // value read, or the value that a write replaces
    u64 after;   // value written; of notify_one: who was woken
    u64 aux;     // other thread, number of woken waiters, function of the library that does it, ...
    frames where;
    object what;
};

struct access {
    u32 thread;
    u8 write, atomic, size, unused;
    u64 address;
    u64 step;
    frames where;
};

enum class failure : u32 {
    none,
    data_race,
    deadlock,
    lost_wakeup,
    use_after_free,
    double_free,
    crash,
    assertion,
    uncaught_exception,
    exit_code,
    livelock,
    // not bugs:
    diverged, // the replay did not fit
    hung,     // written by the tool: the run stopped outside of our control
    endless,  // the very first run did not end
};

enum class wait_for : u32 {
    nothing,
    mutex,
    read_lock,
    write_lock,
    condition,
    join,
    semaphore,
    barrier,
    futex,
    once,
    guard,
    sleep,
    spin,
    input, // something that a file descriptor becomes ready for; the address is its number
    signal,
    nothing_ends // a loop that no other thread can end, see cli/endless_loop.hpp
};

struct blocked_thread {
    u32 thread;
    wait_for what;
    u32 owner;  // of the lock; max_threads when there is none
    u32 missed; // notifications of this object that found nobody before this wait began
    u64 address;
    u64 missed_step; // the last of them
    u64 since_step;
    u32 changed; // futex: the word is no longer what the thread waits on
    u32 in_cycle;
    u32 goes_on, unused; // it would, if only it woke up
    frames where;        // where it waits
    frames held_from;    // where `owner` got it
    object what_object;
};

struct run_config {
    u64 seed;
    u64 schedule;   // number of the schedule, from 1
    u64 step_limit; // scheduling steps until a livelock is suspected
    u64 points;     // scheduling points of an ordinary run, as measured: PCT wants it
    strategy_kind strategy;
    replaying replay;   // choices_in, instead of the strategy
    u32 record;         // keep events
    u32 choices;        // length of choices_in
    u32 checkpoints;    // length of checkpoints_in; 0: do not compare
    u32 early_timeouts; // of a replay: timed waits may be chosen before their time
    u64 debug_step;     // not 0: stop for a debugger, and call heddle_story_begins() at this step
    u64 wanted;         // of a replay: the race that it is for is noted whatever else races
    i64 expected_exit;  // exit status of the unperturbed run; -1 while unknown
    i64 wall_base_ns;   // what the program's clocks show at the start: the same in every run
    i64 steady_base_ns;
};

struct run_result {
    failure kind;
    u32 news;   // worth telling, by the server's judgement
    u32 exited; // the program reached its end; exit_status is valid
    i64 exit_status;
    u64 steps, points, switches, hash;
    u32 threads;
    u32 choices; // length of choices_out
    u32 checkpoints;
    u32 decisions; // length of the channel's list; it is full when this is max_decisions
    u64 events;    // all of them; the channel keeps the last max_events
    u32 races;     // distinct and unknown ones in `race`
    u32 blocked;
    u64 signature; // of `kind`: the same for the same bug
    u64 diverged_step;
    u64 hash_wanted, hash_found;
    u32 failing_thread, signal;
    strategy_kind strategy;
    u32 preset;   // of the strategy, for people
    access at;    // where it failed; of use after free: the use
    access other; // the free, or the first access of a race
    object what;
    char text[512]; // the assertion, the exception's type and message
    struct {
        access first, second;
        object what;
        u64 signature;
        u64 steps;
        u32 choices, unused;
    } race[max_races];
    blocked_thread block[max_blocked];
};

struct module_info {
    u64 base, begin, end;
    u32 instrumented, build_id_size;
    u32 synchronises, unused; // it makes threads or locks; what else it orders by is not seen
    u8 build_id[32];
    char path[512];
};

/// A code address that accesses memory. It is learned, and has an id, once it took part in a
/// conflict: level 2 when nothing ordered the two accesses, else 1.
struct location {
    u64 pc; // 0: an empty entry; the highest bit is set when it is learned
    u16 level;
    // In a loop that went round for long, and then ...
    u8 waits;    // was left because something had changed
    u8 gives_up; // was left although nothing had
    u32 id;      // 1, 2, ... in order of discovery; 0: not learned
};

/// What a run met that limits the trust in it; bits of channel::limits.
enum limit : u64 {
    limit_fork = 1,
    limit_foreign_thread = 2,
    limit_raw_clone = 4,
    limit_cancel = 16,
    limit_clock = 32,
    limit_random = 64,
    limit_threads = 256,
    limit_fence_pi = 512,
    limit_input = 1024, // standard input was read to its end
};

struct channel {
    // What tool and runtime of different versions still understand of each other.
    u64 magic;
    u32 version, size_check;
    char tool[24], runtime[24]; // releases, each written by its owner

    // state of the running child, for the watchdog
    u32 child, child_thread; // process id, kernel's id of the thread whose turn it is
    u64 heartbeat;
    u64 refuge; // runtime function for a thread in a loop that nothing ends
    u64 limits;
    u32 known_failures, location_count;
    u32 modules, server_ready;
    u64 known[max_known]; // signatures that need no second report; open addressing
    run_config config;
    run_result result;
    module_info module[max_modules];
    location locations[max_locations]; // open addressing; the first stays empty: "unknown"
    choice choices_in[max_choices];
    choice choices_out[max_choices];
    u32 checkpoints_in[max_checkpoints];
    u32 checkpoints_out[max_checkpoints];
    decision decisions[max_decisions];
    event events[max_events];
};

/// The tool writes one of these, the server answers with one byte when `count` schedules are done
/// or one of them has something to tell (then `config.schedule` says which).
struct command {
    u64 first, count;
};

inline constexpr const char* channel_variable = "HEDDLE_CHECK_CHANNEL"; // "memory,commands,replies"

} // namespace heddle::check
