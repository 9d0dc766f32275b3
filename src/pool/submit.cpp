/// How work gets into a pool.
#include "pool.hpp"

#include <heddle/error.hpp>
#include <heddle/failure.hpp>

namespace heddle::detail {

void pool::require_open() const {
    if (!broken_.empty()) throw broken_thread_pool_error(broken_);
    if (finished_ || (shut_down_ && !is_own_thread())) refuse_shut_down();
}

void pool::refuse_shut_down() const {
    throw shutdown_error("cannot submit: the pool \"" + options_.name + "\" has been shut down");
}

void pool::require_not_forked() const {
    if (!gone_after_fork()) return;
    throw forked_error("the pool \"" + options_.name +
                       "\" was created before fork() and has no threads in this child; create "
                       "a pool of its own in the child");
}

worker* pool::own_worker() const noexcept {
    return is_own_thread() ? static_cast<worker*>(this_thread.host) : nullptr;
}

/// What a task submits to its own pool, in the usual case: nothing that can fail or takes long.
inline bool pool::enqueue_quickly(task& t) noexcept {
    worker* const own = own_worker();
    if (!own || gone_after_fork() || room_ || t.has_info()) return false;
    t.set_owner(this, born_in_);
    return own->push_quickly(t);
}

void pool::enqueue(task& t) {
    require_not_forked();
    t.set_owner(this, born_in_);
    if (room_ && !make_room(t)) return; // it has been run here
    try {
        worker* const own = own_worker();
        if (t.priority() == 0 && own) own->push(t);
        // An own thread that is no worker any more may push when the lane is closed already.
        else if (t.priority() != 0 || is_own_thread()) push_ranked(t);
        else push_outside({.whole = &t});
    } catch (...) {
        if (room_) room_->leave();
        throw;
    }
}

void pool::enqueue(const small_call& call) {
    require_not_forked();
    push_outside({.call = call});
}

void pool::push_outside(const work& item) {
    const lane::place place = lane_.announce();
    if (place.where && !place.wake) {
        lane::fill(*place.where, item); // THE POOL MAY BE DEAD: the item may have destroyed it
        return;
    }
    lock_type lock(mutex_);
    if (place.where) {
        // Filled with the mutex held, so that the pool lives until we have let go of it.
        lane::fill(*place.where, item);
    } else {
        lane_.forget_attempts();
        require_open();
        if (!lane_.push_locked(item)) return;
    }
    wake_for_push(std::move(lock));
}

/// Wakes somebody for what was pushed, if nobody searches and one may.
void pool::wake_for_push(lock_type lock) {
    const wake_up chosen = choose_wake_up();
    lock.unlock();
    carry_out(chosen);
    this_thread.woke_a_worker = chosen.sleeper || chosen.new_thread;
}

/// The same for a push to a worker's own deque, which takes no mutex.
void pool::wake_for_nested() {
    wake_up chosen{};
    {
        const std::lock_guard lock(mutex_);
        chosen = choose_wake_up();
    }
    carry_out(chosen);
}

void pool::push_ranked(task& t) {
    lock_type lock(mutex_);
    require_open();
    ranked_[t.priority()].push_back(&t);
    ++pushed_ranked_;
    atomic<int>& count = t.priority() > 0 ? urgent_ : background_;
    // relaxed: a hint, written with mutex_ held.
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    wake_for_push(std::move(lock));
}

/// Takes a place in the bounded queue; false if the task was run by this thread instead.
bool pool::make_room(task& t) {
    if (room_->try_take()) return true;
    {
        std::lock_guard lock(mutex_);
        require_open();
    }
    // An own thread must not wait for room that only its return can make.
    if (is_own_thread() || options_.when_full == on_full::run_here) {
        if (t.start()) execute(t, true);
        else t.drop_owner();
        return false;
    }
    if (options_.when_full == on_full::reject) {
        throw queue_full_error("the pool \"" + options_.name + "\" has " +
                               std::to_string(options_.max_pending) +
                               " tasks queued, its max_pending; submit later, or use "
                               "on_full::block");
    }
    const blocking_section section({}, true, deadline::never());
    if (!room_->take()) {
        std::lock_guard lock(mutex_);
        require_open();
        refuse_shut_down();
    }
    return true;
}

void pool::cancelled_while_queued() noexcept {
    cancelled_.fetch_add(1, std::memory_order_relaxed); // a count
    if (room_ && !gone_after_fork()) room_->leave();    // its lock may have been held at the fork
}

std::size_t pool::pending_count() const noexcept {
    if (gone_after_fork()) return 0; // as above
    // relaxed: a moment's view. What has left the queue is counted first, so that the difference
    // is never negative for a single observer.
    std::uint64_t left =
        cancelled_.load(std::memory_order_relaxed) + ended_unrun_.load(std::memory_order_relaxed);
    std::uint64_t entered = 0;
    std::lock_guard lock(mutex_);
    // relaxed: as above.
    for (const auto& w : workers_) left += w->started_.load(std::memory_order_relaxed);
    for (const auto& w : workers_) entered += w->pushed_.load(std::memory_order_relaxed);
    entered += pushed_ranked_ + lane_.pushed();
    return entered > left ? static_cast<std::size_t>(entered - left) : 0;
}

void enqueue(pool& to, task& t) {
    if (!to.enqueue_quickly(t)) to.enqueue_or_discard(t);
}

[[gnu::noinline]] void pool::enqueue_or_discard(task& t) {
    try {
        enqueue(t);
    } catch (...) {
        t.discard();
        throw;
    }
}

bool enqueue_small(pool& to,
                   void (*invoke)(void*, const void*),
                   void* payload,
                   const void* address) {
    if (to.bounded() || to.is_own_thread()) return false;
    to.enqueue(small_call{invoke, payload, address});
    return true;
}

void report_post_failure(const void* address) noexcept {
    failure_info lost;
    lost.address = address;
    lost.exception = std::current_exception();
    report_failure(lost);
}

} // namespace heddle::detail
