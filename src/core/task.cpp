#include "context.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/state.hpp>
#include <heddle/detail/task.hpp>
#include <heddle/error.hpp>
#include <heddle/failure.hpp>

#include <sched.h>

#include <cstdio>
#include <cstdlib>

namespace heddle::detail {

constinit thread_local context this_thread;

namespace {
// What place_ holds: an owner is not tagged, the others are.
constexpr std::uintptr_t runner_tag = 1, link_tag = 2;
constexpr int deepest_chain = 32;

bool is_owner(std::uintptr_t place) noexcept {
    return place != 0 && !(place & (runner_tag | link_tag));
}
} // namespace

// --- transitions -------------------------------------------------------------------------------

bool task::start() noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // pairs with release in cancel()
    do {
        if (phase_of(s) != phase::pending) return false;
        if (handles_of(s) == 0) {
            // relaxed: a posted task that nobody holds a handle to is seen by its runner alone.
            state_.store(with(s, phase::running), std::memory_order_relaxed);
            return true;
        }
        // acq_rel: takes part in the order of all transitions of this word.
    } while (!state_.compare_exchange_weak(
        s, with(s, phase::running), std::memory_order_acq_rel, std::memory_order_acquire));
    return true;
}

bool task::start_setting(phase& before) noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // as in start()
    do {
        before = phase_of(s);
        if (before != phase::pending && before != phase::running) return false;
        // acq_rel: as in start().
    } while (!state_.compare_exchange_weak(
        s, with(s, phase::setting), std::memory_order_acq_rel, std::memory_order_acquire));
    return true;
}

void task::undo_setting(phase before) noexcept {
    std::uint32_t s = state_.load(std::memory_order_relaxed); // only handle and hook bits change
    // release: what the failed attempt wrote comes before the next one.
    while (!state_.compare_exchange_weak(
        s, with(s, before), std::memory_order_release, std::memory_order_relaxed)) {
    }
}

void task::finish(phase end, bool release_owner) noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // as in drop_handle()
    bool watched = false;
    std::uint32_t next = 0;
    do {
        watched = (s & (hooked_bit | locked_bit)) != 0;
        if (release_owner && handles_of(s) == 0 && !watched) {
            // relaxed: nobody else can reach the task, and nobody will look.
            state_.store(with(s, end), std::memory_order_relaxed);
            destroy();
            return;
        }
        next = with(s, end);
        if (release_owner && !watched) next &= ~owned_bit;
        // acq_rel: publishes the result; pairs with the acquire in current(). [Done]
    } while (!state_.compare_exchange_weak(
        s, next, std::memory_order_acq_rel, std::memory_order_acquire));
    if (!watched) return; // THE TASK MAY BE DEAD
    fire_hooks();
    if (release_owner) drop_owner();
}

bool task::finish_untold(phase end) noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // as in drop_handle()
    do {
        if (s & (hooked_bit | locked_bit)) return false;
        // acq_rel: as in finish(). Whoever adds a hook changes this word before. [Done]
    } while (!state_.compare_exchange_weak(
        s, with(s, end) & ~owned_bit, std::memory_order_acq_rel, std::memory_order_acquire));
    return true;
}

bool task::cancel(bool by_owner) noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // as in start()
    do {
        if (phase_of(s) == phase::cancelled) return true;
        if (phase_of(s) != phase::pending) return false;
        // acq_rel: as in start(); whoever wins decides whether the closure is called or dropped.
    } while (!state_.compare_exchange_weak(
        s, with(s, phase::cancelled), std::memory_order_acq_rel, std::memory_order_acquire));
    if (task_owner* const queue = owner()) {
        if (!by_owner) queue->cancelled_while_queued();
        // release: we touch the owner no more; pairs with the acquire in drop_owner(). Before the
        // closure goes, since its destructors may take their time.
        place_.store(0, std::memory_order_release);
    }
    operations_->drop_closure(*this);
    // relaxed: no hook is added once the phase is done, and those added before are seen because
    // adding one changed this very word before our compare-exchange.
    if (state_.load(std::memory_order_relaxed) & (hooked_bit | locked_bit)) fire_hooks();
    return true;
}

void task::fail(std::exception_ptr why) noexcept {
    if (start()) {
        operations_->drop_closure(*this);
        operations_->store_failure(*this, std::move(why));
        finish(phase::failed, true);
    } else {
        drop_owner();
    }
}

bool task::request_stop() noexcept {
    return operations_->request_stop && !done() && operations_->request_stop(*this);
}

// --- the end -----------------------------------------------------------------------------------

void task::drop_owner() noexcept {
    // Whoever cancelled the task may not have told the owner yet, which may go after this call.
    // acquire: pairs with the release in cancel().
    while (current() == phase::cancelled && is_owner(place_.load(std::memory_order_acquire))) {
        sched_yield();
    }
    let_go(owned_bit);
}

void task::let_go(std::uint32_t holder) noexcept {
    // acq_rel: as in drop_handle().
    const std::uint32_t old = state_.fetch_and(~holder, std::memory_order_acq_rel);
    if (handles_of(old) == 0 && (old & held_bits) == holder) destroy();
}

void task::await_release() const noexcept {
    // acquire: pairs with the release in drop_owner() and finish().
    while (state_.load(std::memory_order_acquire) & held_bits) sched_yield();
}

void task::die_of_too_many_handles() noexcept {
    std::fputs("heddle: over 8 million copies of one future; keep one, and refer to it\n", stderr);
    std::abort();
}

void task::destroy() noexcept {
    // relaxed: the caller has synchronised with everybody who held the task. [Last]
    const std::uint32_t s = state_.load(std::memory_order_relaxed);
    if (phase_of(s) == phase::failed && !(s & looked_bit)) [[unlikely]]
        report_unseen();
    if (info()) [[unlikely]]
        drop_info();
    operations_->destroy(*this);
}

// Apart, so that destroy() saves no registers for it.
[[gnu::noinline]] void task::drop_info() noexcept {
    delete info();
}

/// The last handle is about to go while the executor still holds the object, for a moment. What
/// the user can notice happens now: the failure is reported, the value is destroyed.
void task::settle() noexcept {
    const phase end = current();
    if (end == phase::failed) report_unseen();
    const bool executed = operations_->run != nullptr; // a promise may still give out handles
    if (!executed || (end != phase::value && end != phase::failed)) return;
    operations_->drop_result(*this);
    // acq_rel: comes before the destruction by the owner. The phase of a done task is ours alone
    // to change, since ours is the only handle.
    state_.fetch_xor(static_cast<std::uint32_t>(end) ^ static_cast<std::uint32_t>(phase::spent),
                     std::memory_order_acq_rel);
}

void task::report_unseen() noexcept {
    // relaxed: so that it is told once; see destroy().
    if (state_.fetch_or(looked_bit, std::memory_order_relaxed) & looked_bit) return;
    failure_info lost;
    if (const task_info* i = info()) {
        lost.where = i->where;
        try {
            lost.task_name = i->name;
        } catch (const std::bad_alloc&) {
            // Without memory for the name, report without it.
        }
    }
    lost.address = address();
    lost.exception = operations_->failure(*this);
    report_failure(lost);
}

void task::discard() noexcept {
    operations_->drop_closure(*this);
    delete info();
    operations_->destroy(*this);
}

// --- hooks -------------------------------------------------------------------------------------

void task::lock_hooks() noexcept {
    std::uint32_t s = state_.load(std::memory_order_relaxed); // a hint for the exchange below
    for (int tries = 0;; ++tries) {
        // acquire: sees the list as the last holder left it; pairs with unlock_hooks().
        if (!(s & locked_bit) &&
            state_.compare_exchange_weak(
                s, s | locked_bit, std::memory_order_acquire, std::memory_order_relaxed)) {
            return;
        }
        if (tries % 64 == 63) sched_yield(); // the holder may have been preempted
        else pause();
        s = state_.load(std::memory_order_relaxed); // as above
    }
}

void task::unlock_hooks() noexcept {
    // release: publishes the list; pairs with the acquire in lock_hooks() and add_hook().
    state_.fetch_and(~locked_bit, std::memory_order_release);
}

bool task::add_hook(hook& h) noexcept {
    std::uint32_t s = state_.load(std::memory_order_acquire); // as in current()
    for (int tries = 0;; ++tries) {
        if (phase_of(s) >= phase::value) return false;
        // acquire: as in lock_hooks(), which this is, with the test for the phase.
        if (!(s & locked_bit) && state_.compare_exchange_weak(s,
                                                              s | locked_bit | hooked_bit,
                                                              std::memory_order_acquire,
                                                              std::memory_order_acquire)) {
            break;
        }
        if (tries % 64 == 63) sched_yield(); // as in lock_hooks()
        else pause();
        s = state_.load(std::memory_order_acquire); // as above
    }
    h.next = hooks_;
    hooks_ = &h;
    unlock_hooks();
    return true;
}

bool task::remove_hook(hook& h) noexcept {
    lock_hooks();
    hook** link = &hooks_;
    while (*link && *link != &h) link = &(*link)->next;
    const bool found = *link != nullptr;
    if (found) *link = h.next;
    unlock_hooks();
    return found;
}

void task::fire_hooks() noexcept {
    const bool deferred = this_thread.firing >= deepest_chain;
    lock_hooks();
    // Oldest first, and the sleeping threads before all callbacks: a callback may run for long.
    hook* threads = nullptr;
    hook* callbacks = nullptr;
    while (hook* h = hooks_) {
        hooks_ = h->next;
        hook*& list = h->wakes_thread ? threads : callbacks;
        h->next = list;
        list = h;
    }
    // What is in the list may be looked at by a thread that takes its own hook back, so callbacks
    // leave it, under the lock, before the first of them is fired.
    if (deferred) hooks_ = callbacks;
    unlock_hooks();
    while (hook* h = threads) {
        threads = h->next;
        h->fire(*h, *this); // THE HOOK MAY BE DEAD
    }
    if (!callbacks) return;
    if (deferred) defer();
    else fire_all(callbacks, *this);
}

/// Leaves the callbacks to the outermost fire_all() on this thread. The task stays until then: a
/// cancelled continuation is a hook that holds no handle.
void task::defer() noexcept {
    // relaxed: used by this thread only; the caller keeps the task alive, and owned or not, the
    // bit is read by those who let go after us.
    state_.fetch_or(deferred_bit, std::memory_order_relaxed);
    context& here = this_thread;
    place_.store(link_tag, std::memory_order_relaxed); // as above
    if (here.deferred_last) {
        here.deferred_last->place_.store(reinterpret_cast<std::uintptr_t>(this) | link_tag,
                                         std::memory_order_relaxed); // as above
    } else {
        here.deferred_first = this;
    }
    here.deferred_last = this;
}

void task::fire_all(hook* callbacks, task& first) noexcept {
    // The caller keeps `first` alive, its deferred_bit every other.
    context& here = this_thread;
    ++here.firing;
    task* t = &first;
    for (;;) {
        while (hook* h = callbacks) {
            callbacks = h->next;
            h->fire(*h, *t); // THE HOOK MAY BE DEAD
        }
        if (t != &first) t->let_go(deferred_bit);
        if (here.firing > 1 || !here.deferred_first) break;
        t = here.deferred_first;
        // relaxed: see defer().
        here.deferred_first =
            reinterpret_cast<task*>(t->place_.load(std::memory_order_relaxed) & ~link_tag);
        if (!here.deferred_first) here.deferred_last = nullptr;
        t->lock_hooks();
        callbacks = std::exchange(t->hooks_, nullptr);
        t->unlock_hooks();
    }
    --here.firing;
}

// --- who and where -----------------------------------------------------------------------------

task_owner* task::owner() const noexcept {
    // relaxed: an owner outlives its queued tasks, and the value is stable while the task is
    // pending or cancelled; callers look at the phase first.
    const std::uintptr_t place = place_.load(std::memory_order_relaxed);
    return is_owner(place) ? reinterpret_cast<task_owner*>(place) : nullptr;
}

context* task::runner() const noexcept {
    // relaxed: the address is compared, never followed.
    const std::uintptr_t place = place_.load(std::memory_order_relaxed);
    return place & runner_tag ? reinterpret_cast<context*>(place & ~runner_tag) : nullptr;
}

void task::set_runner(context& runner) noexcept {
    // relaxed: see runner().
    place_.store(reinterpret_cast<std::uintptr_t>(&runner) | runner_tag, std::memory_order_relaxed);
}

// --- running -----------------------------------------------------------------------------------

namespace {

/// Sets what this thread runs for as long as a task runs on it.
phase run_here(task& t) {
    context& here = this_thread;
    struct restore {
        context& here;
        task* outer;
        ~restore() { here.current = outer; }
    } guard{here, std::exchange(here.current, &t)};
    t.set_runner(here);
    return t.ops().run(t);
}

} // namespace

void execute(task& t, bool release_owner) {
    phase end = phase::failed;
    try {
        end = run_here(t);
    } catch (...) { // a forced unwinding; the failure is stored
        t.finish(phase::failed, release_owner);
        throw;
    }
    t.finish(end, release_owner);
}

void execute_alone(task& t) {
    phase end = phase::failed;
    try {
        end = run_here(t);
    } catch (...) { // as in execute()
        t.finish_alone(phase::failed);
        throw;
    }
    t.finish_alone(end);
}

std::exception_ptr thread_exited_failure(const task& t) noexcept {
    return std::make_exception_ptr(
        broken_executor_error("task " + t.describe() + " ended its thread with pthread_exit"));
}

} // namespace heddle::detail
