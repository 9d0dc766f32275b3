#include "context.hpp"
#include "wait_graph.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/task.hpp>
#include <heddle/detail/waiting.hpp>
#include <heddle/error.hpp>
#include <heddle/wait.hpp>

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <bit>

namespace heddle::detail {

// --- around a wait that blocks -----------------------------------------------------------------

blocking_section::blocking_section(std::span<task* const> tasks, bool all, deadline limit) {
    context& here = this_thread;
    if (here.current && limit.is_never()) {
        enter_wait_graph(here, tasks, all);
        in_graph_ = true;
    }
    if (!here.host) return;
    try {
        here.host->blocking();
    } catch (...) {
        if (in_graph_) leave_wait_graph(here);
        throw;
    }
}

blocking_section::~blocking_section() {
    context& here = this_thread;
    if (here.host) here.host->unblocked();
    if (in_graph_) leave_wait_graph(here);
}

bool spin_until_done(const task& t) noexcept {
    return t.done() || spin_until([&] { return t.done(); });
}

constinit atomic<int> forks_survived{0};

namespace {
void hold_for_fork(bool hold) noexcept {
    hold_wait_graph(hold);
    hold_known_places(hold);
    hold_failure_handler(hold);
    hold_cell_depot(hold);
}
/// A worker that forks is in the child a thread like any other: its pool is not there, and may
/// have been forked with its locks held.
void leave_executor() noexcept {
    this_thread.host = nullptr;
    this_thread.executor = nullptr;
}
} // namespace

void watch_forks() {
    static const int registered = pthread_atfork([] { hold_for_fork(true); },
                                                 [] { hold_for_fork(false); },
                                                 [] {
                                                     hold_for_fork(false);
                                                     ++forks_survived;
                                                     leave_executor();
                                                 });
    (void)registered;
}

void require_reachable(const task& t) {
    if (t.queued_after() < 0 || t.done()) return;
    // relaxed: see forks_survived. The owner is not asked, since it may be gone by now.
    if (t.queued_after() != forks_survived.load(std::memory_order_relaxed)) {
        throw forked_error("task " + t.describe() +
                           " was queued in the parent process and will never end in this forked "
                           "child; create the pool, or thread, after fork()");
    }
}

// --- one task ----------------------------------------------------------------------------------

namespace {

/// Wakes a thread that waits for `expected` arrivals, or for one failure.
///
/// Protocol: each hook's last access is the increment of `arrived`; only the one that completes
/// the condition calls the kernel, with an address it does not follow. So the waiter may go as
/// soon as it has seen all increments of the hooks that it could not take back.
struct countdown {
    struct entry final : hook {
        countdown* owner = nullptr;
    };

    countdown(std::size_t wanted, bool stop_at_failure)
        : expected(wanted), stops_at_failure(stop_at_failure) {}

    static void fire(hook& self, task& done) noexcept {
        countdown& owner = *static_cast<entry&>(self).owner;
        const bool failed = owner.stops_at_failure && done.current() == phase::failed;
        // relaxed: read after `arrived`, which is incremented with release below.
        if (failed) owner.failed.store(true, std::memory_order_relaxed);
        const std::size_t wanted = owner.expected;
        atomic<std::uint32_t>* const word = &owner.arrived;
        // release: pairs with the acquire loads of the waiter. THE COUNTDOWN MAY BE DEAD after it.
        const std::uint32_t before = word->fetch_add(1, std::memory_order_release);
        if (before + 1 == wanted || failed) futex_wake(word, 1);
    }

    bool satisfied(std::uint32_t seen) const noexcept {
        // relaxed: see fire(); `seen` was loaded with acquire.
        return seen >= expected || failed.load(std::memory_order_relaxed);
    }

    std::size_t expected;
    bool stops_at_failure;
    atomic<bool> failed{false};
    atomic<std::uint32_t> arrived{0};
};

/// Registers with all tasks, sleeps until the condition holds or time is up, takes hooks back.
void count_down(countdown& c,
                std::span<countdown::entry> entries,
                std::span<task* const> tasks,
                deadline limit) {
    std::size_t fired_by_us = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        countdown::entry& e = entries[i];
        e.fire = &countdown::fire;
        e.wakes_thread = true;
        e.owner = &c;
        if (!tasks[i]->add_hook(e)) {
            ++fired_by_us;
            e.owner = nullptr;
            countdown::entry own;
            own.owner = &c;
            countdown::fire(own, *tasks[i]);
        }
    }
    // acquire: sees what the finishing threads wrote; pairs with the release in fire().
    std::uint32_t seen = c.arrived.load(std::memory_order_acquire);
    while (!c.satisfied(seen) && !limit.passed()) {
        futex_wait(c.arrived, seen, limit);
        seen = c.arrived.load(std::memory_order_acquire); // as above
    }
    if (seen == tasks.size()) return;
    std::size_t gone = fired_by_us;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (entries[i].owner && !tasks[i]->remove_hook(entries[i])) ++gone;
    }
    // acquire: as above. The rest is being fired at this moment.
    while (c.arrived.load(std::memory_order_acquire) != gone) sched_yield();
}

} // namespace

bool task::wait(deadline limit) {
    if (done()) return true;
    context& here = this_thread;
    // With a time limit we must not start a task that may run for longer than that.
    if (here.host && limit.is_never() && here.host->run_if_pending(*this)) return true;
    require_reachable(*this);
    if (limit.passed()) return done();
    const bool fetches = operations_->fetch && limit.is_never();
    if (!fetches && spin_until_done(*this)) return true;
    task* const self = this;
    const std::span<task* const> only(&self, 1);
    const blocking_section section(only, true, limit);
    if (fetches) {
        operations_->fetch(*this);
        if (done()) return true;
    }
    countdown c(1, false);
    countdown::entry entry;
    count_down(c, {&entry, 1}, only, limit);
    return done();
}

void task::wait_alone() {
    // In a task it is rarely done yet, so we do not look first.
    context& here = this_thread;
    if (here.host && here.host->run_alone(*this)) return;
    wait(deadline::never());
}

bool wait_for_batch(task& front, task& later, duration at_most, deadline limit) {
    // A worker must not sleep with a limit where it could run the task itself. On a clock that is
    // set by hand the nap would not end by itself.
    if (!this_thread.host && &later != &front && !clock_is_set_by_hand() && !front.done()) {
        later.wait({std::min(deadline::after(at_most).ns, limit.ns)});
    }
    return front.wait(limit);
}

void nap_until_at_least(const atomic<std::int64_t>& word, std::int64_t enough) noexcept {
    // Real time on purpose: what is waited for is work, not a clock.
    const timespec nap{0, 20'000};
    // relaxed: a hint, both for us and for the caller.
    for (int i = 0; i < 4 && word.load(std::memory_order_relaxed) < enough; ++i) {
        nanosleep(&nap, nullptr);
    }
}

// --- several -----------------------------------------------------------------------------------

namespace {

struct progress_of_set {
    std::size_t done = 0;
    bool failed = false;
};

bool met(const progress_of_set& now, std::size_t total, return_when until) noexcept {
    switch (until) {
    case return_when::first_completed: return now.done > 0;
    case return_when::first_exception: return now.done == total || now.failed;
    case return_when::all_completed: break;
    }
    return now.done == total;
}

progress_of_set look(std::span<task* const> tasks) noexcept {
    progress_of_set now;
    for (const task* t : tasks) {
        now.done += t->done();
        now.failed |= t->current() == phase::failed;
    }
    return now;
}

} // namespace

void wait_until(std::span<task* const> tasks, return_when until, deadline limit) {
    if (tasks.empty() || met(look(tasks), tasks.size(), until)) return;
    context& here = this_thread;
    if (here.host && limit.is_never()) {
        for (task* t : tasks) {
            if (!here.host->run_if_pending(*t)) continue;
            if (until == return_when::first_completed) return;
            if (until == return_when::first_exception && t->current() == phase::failed) return;
        }
        if (met(look(tasks), tasks.size(), until)) return;
    }
    for (const task* t : tasks) require_reachable(*t);
    if (limit.passed()) return;
    if (until == return_when::all_completed && spin_until_done(*tasks.back()) &&
        met(look(tasks), tasks.size(), until)) {
        return;
    }
    const bool first = until == return_when::first_completed;
    const blocking_section section(tasks, !first, limit);
    const auto entries = std::make_unique<countdown::entry[]>(tasks.size());
    countdown c(first ? 1 : tasks.size(), until == return_when::first_exception);
    count_down(c, {entries.get(), tasks.size()}, tasks, limit);
}

void unique_tasks(std::vector<task*>& tasks) {
    if (tasks.size() < 2) return;
    // An open-addressed set, at most half full; task addresses differ above their lowest 6 bits.
    const std::size_t slots = std::bit_ceil(tasks.size() * 2);
    std::vector<const task*> seen(slots, nullptr);
    const auto is_new = [&](const task* t) {
        auto at = (reinterpret_cast<std::uintptr_t>(t) >> 6) * 0x9E3779B97F4A7C15u >> 20;
        for (;; ++at) {
            const task*& slot = seen[at & (slots - 1)];
            if (slot == t) return false;
            if (!slot) {
                slot = t;
                return true;
            }
        }
    };
    std::erase_if(tasks, [&](const task* t) { return !is_new(t); });
}

void throw_unfinished(std::size_t left, std::size_t total) {
    throw timeout_error(std::to_string(left) + " (of " + std::to_string(total) +
                        ") futures unfinished");
}

// --- completion_queue --------------------------------------------------------------------------

completion_queue::entry* completion_queue::asleep() noexcept {
    return reinterpret_cast<entry*>(std::uintptr_t{1}); // no entry has an odd address
}

// Delegates, so that the destructor takes back what was registered if an add() throws.
completion_queue::completion_queue(std::span<task* const> tasks) : completion_queue() {
    tasks_.reserve(tasks.size());
    free_.reserve(tasks.size());
    for (task* t : tasks) add(*t);
}

std::size_t completion_queue::add(task& t) {
    std::size_t index = tasks_.size();
    if (free_.empty()) {
        // Room first, by doubling, and what can be undone last. `free_` is filled by pop(), which
        // must not fail.
        if (index == tasks_.capacity()) tasks_.reserve(2 * index + 8);
        free_.reserve(tasks_.capacity());
        entries_.emplace_back();
        entries_.back().index = index;
        tasks_.push_back(nullptr);
    } else {
        index = free_.back();
        free_.pop_back();
    }
    tasks_[index] = &t;
    next_to_help_ = std::min(next_to_help_, index);
    reachable_after_ = -1;
    entry& e = entries_[index];
    e.fire = &arrived;
    e.wakes_thread = true;
    e.queue = this;
    e.next_done = nullptr;
    if (t.add_hook(e)) {
        ++open_;
    } else {
        (ready_last_ ? ready_last_->next_done : ready_) = &e;
        ready_last_ = &e;
    }
    return index;
}

completion_queue::~completion_queue() {
    // A task that was given may be dead, and its hook has been fired.
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        if (tasks_[i] && tasks_[i]->remove_hook(entries_[i])) --open_;
    }
    for (collect(); open_ != 0; collect()) sched_yield(); // the rest is being fired now
}

void completion_queue::arrived(hook& self, task&) noexcept {
    entry& e = static_cast<entry&>(self);
    atomic<entry*>& stack = e.queue->arrived_;
    entry* top = stack.load(std::memory_order_relaxed); // checked by the exchange
    do {
        e.next_done = top == asleep() ? nullptr : top;
        // release: publishes the entry; pairs with the acquire in collect(). THE QUEUE MAY BE
        // DEAD after it.
    } while (!stack.compare_exchange_weak(
        top, &e, std::memory_order_release, std::memory_order_relaxed));
    if (top == asleep()) futex_wake(&stack, 1);
}

void completion_queue::collect() noexcept {
    // acquire: sees the entries; pairs with the release in arrived().
    entry* e = arrived_.exchange(nullptr, std::memory_order_acquire);
    if (e == asleep()) e = nullptr;
    entry* const newest = e;
    entry* oldest = nullptr;
    while (e) {
        entry* const older = e->next_done;
        e->next_done = oldest;
        oldest = e;
        --open_;
        e = older;
    }
    if (!oldest) return;
    (ready_last_ ? ready_last_->next_done : ready_) = oldest;
    ready_last_ = newest;
}

std::size_t completion_queue::pop(deadline limit, bool all) {
    while (!ready_) {
        // relaxed: a hint; collect() acquires.
        if (arrived_.load(std::memory_order_relaxed)) collect();
        if (ready_) break;
        if (limit.passed()) {
            require_all_reachable();
            return none;
        }
        if (!(limit.is_never() && help())) sleep(limit, all);
    }
    entry* const e = ready_;
    ready_ = e->next_done;
    if (!ready_) ready_last_ = nullptr;
    tasks_[e->index] = nullptr;
    free_.push_back(e->index);
    return e->index;
}

bool completion_queue::help() {
    host* const executor = this_thread.host;
    if (!executor) return false;
    for (; next_to_help_ < tasks_.size(); ++next_to_help_) {
        task* const t = tasks_[next_to_help_];
        if (t && executor->run_if_pending(*t)) return true;
    }
    return false;
}

/// Once for each set: a look at all tasks before each sleep would make many completions cost the
/// square of their number.
void completion_queue::require_all_reachable() {
    const int forks = forks_survived.load(std::memory_order_relaxed); // see forks_survived
    if (forks == reachable_after_) return;
    for (const task* t : tasks_) {
        if (t) require_reachable(*t);
    }
    reachable_after_ = forks;
}

void completion_queue::sleep(deadline limit, bool all) {
    // relaxed: a hint, as in pop().
    if (spin_until([&] { return arrived_.load(std::memory_order_relaxed) != nullptr; })) return;
    require_all_reachable();
    const blocking_section section(tasks_, all, limit);
    entry* nothing = nullptr;
    // acquire: on failure something has arrived; collect() will see it.
    if (!arrived_.compare_exchange_strong(nothing, asleep(), std::memory_order_acquire)) {
        return;
    }
    // The futex is the low half of the pointer (first in memory, little-endian): 1 for the marker,
    // even for every entry, so a push always changes it.
    // relaxed: a hint, as in pop().
    while (arrived_.load(std::memory_order_relaxed) == asleep() && !limit.passed()) {
        futex_wait(&arrived_, 1, limit);
    }
    entry* marked = asleep();
    // relaxed: as above; on failure something has arrived.
    arrived_.compare_exchange_strong(
        marked, nullptr, std::memory_order_relaxed, std::memory_order_relaxed);
}

} // namespace heddle::detail
