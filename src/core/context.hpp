/// What Heddle knows about each thread: which task it runs, for which executor, and what to do
/// around a wait that blocks.
#pragma once

#include "spinning.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/task.hpp>

#include <cstdint>
#include <span>
#include <utility>

namespace heddle::detail {

/// The executor's side of one of its threads; called only on that thread.
class host {
public:
    /// If `t` belongs to this executor and has not started, runs it here; true if it did.
    virtual bool run_if_pending(task& t) = 0;
    /// The same for a task with one handle, held by the caller as an rvalue. [Alone]
    virtual bool run_alone(task& t) = 0;
    /// The thread is about to block: another one may be needed in its place. May throw.
    virtual void blocking() = 0;
    /// It no longer blocks.
    virtual void unblocked() noexcept = 0;

protected:
    ~host() = default;
};

/// One a thread; used by that thread only, except that its address identifies the thread.
struct context {
    task* current = nullptr; ///< the innermost task that the thread is running
    class host* host = nullptr;
    const void* executor = nullptr; ///< the pool that `host` works for
    bool woke_a_worker = false;     ///< the last submit had to wake a worker: do not spin for it
    spin_habit spinning;            ///< while it waits for results
    int firing = 0;                 ///< depth of completions that complete others [Chains]
    task* deferred_first = nullptr;
    task* deferred_last = nullptr;
};

extern constinit thread_local context this_thread;

/// Around a wait that may sleep: finds cycles of waits, and lets the executor stand in.
///
/// Throws would_deadlock_error if the wait could never end. `tasks` may hold nulls, must stay
/// alive, and is looked at by other threads until the section ends.
class blocking_section {
public:
    blocking_section(std::span<task* const> tasks, bool all, deadline limit);
    ~blocking_section();
    blocking_section(const blocking_section&) = delete;
    blocking_section& operator=(const blocking_section&) = delete;

private:
    bool in_graph_ = false;
};

/// Spins for 10 µs at most if that makes sense; true as soon as `arrived()` is. Never yields: where
/// other threads compete for the core, a yield costs their whole time slice, and sleeping only what
/// it takes to wake up.
template <class Arrived>
bool spin_until(Arrived arrived) noexcept {
    context& here = this_thread;
    // A worker that had to be woken needs 30 µs and more: sleeping lets it have this core.
    if (std::exchange(here.woke_a_worker, false) || !spinning_helps()) return false;
    if (!here.spinning.worthwhile()) return false;
    bool paid = false;
    for (spin_limit limit(std::chrono::microseconds(10)); !paid && !limit.reached();) {
        pause();
        paid = arrived();
    }
    here.spinning.note(paid);
    return paid;
}

/// The same until `t` is done.
bool spin_until_done(const task& t) noexcept;

/// Throws forked_error if `t` can never be run because its executor stayed in the parent process.
void require_reachable(const task& t);

/// How many forks this process has come through as the child, since watch_forks().
///
/// Protocol: incremented in the child by a fork handler, before any other code runs there, so no
/// data depends on it.
extern constinit atomic<int> forks_survived;
/// Installs the fork handlers, once.
void watch_forks();

// The locks of core that the whole process shares. They are held around fork(), so that the child
// finds them free and what they guard whole. Taken in this order.
void hold_wait_graph(bool hold) noexcept;
void hold_known_places(bool hold) noexcept;
void hold_failure_handler(bool hold) noexcept;
void hold_cell_depot(bool hold) noexcept;

} // namespace heddle::detail
