#pragma once
// The state of the program's locks and signals, by address. The program's own memory for them is
// never touched; only a mutex's type is read from it.

#include "engine.hpp"

namespace heddle::check::rt {

struct sync_object {
    thread* owner;
    u32 depth;   // of a recursive lock
    u32 readers; // of a read-write lock
    u32 count;   // semaphore: its value; barrier: how many have come; once: 1 running, 2 done
    u32 limit;   // of a barrier
    u32 round;   // of a barrier
    u32 missed;  // notifications that found nobody waiting
    u64 missed_step;
    bool robust, owner_died;
    frames held_from;
    vector_clock clock;      // what was released into it
    vector_clock read_clock; // read-write lock: by readers
};

sync_object& sync_at(u64 address);
sync_object* find_sync(u64 address);
void forget_sync(u64 address);
void each_sync(void (*visit)(u64 address, sync_object& o, thread* t), thread* t);

/// What `t` did so far happened before whoever acquires `into` next.
void release_into(vector_clock& into, thread* t);
void acquire_from(const vector_clock& from, thread* t);

/// Nanoseconds on the run's clock of an absolute time of the program; relative for `clock` < 0.
i64 deadline_of(int clock, const timespec* time);

/// A lock of any kind that one thread owns; 0 or an error of pthread_mutex_lock().
int lock_object(u64 address, int type, i64 deadline, u64 pc, wait_for what = wait_for::mutex);

/// Gives it up without a scheduling point; for condition variables keeps and returns the depth.
u32 unlock_object(u64 address);
void relock_object(u64 address, u32 depth, u64 pc);
int mutex_type(const pthread_mutex_t* m);

/// As the POSIX functions, for a caller at `pc` that has the turn.
int try_lock_object(u64 address, int type, u64 pc);
int release_object(u64 address, int type, u64 pc);

int wait_condition(u64 condition, u64 mutex, i64 deadline, u64 pc);
int notify_condition(u64 condition, bool all, u64 pc);
int semaphore_wait(u64 address, i64 deadline, u64 pc);
int run_once(pthread_once_t* control, void (*routine)(), u64 pc);

} // namespace heddle::check::rt
