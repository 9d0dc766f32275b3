#include "../core/spinning.hpp"

#include <heddle/detail/queue_core.hpp>
#include <heddle/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace heddle::detail {

queue_core::queue_core(std::size_t capacity) : limit_(capacity == 0 ? unbounded : capacity) {
    if (capacity > static_cast<std::size_t>(PTRDIFF_MAX)) {
        throw std::invalid_argument("queue: capacity is " + std::to_string(capacity) +
                                    ", but must be in 0.." + std::to_string(PTRDIFF_MAX) +
                                    " (0: unbounded); was a negative number passed?");
    }
}

void queue_core::throw_shut_down(const char* verb) {
    throw queue_shut_down_error(std::string(verb) + ": the queue has been shut down");
}

/// Looks for a few microseconds whether `hint()` comes true, without the lock. At most one thread
/// a side spins; it looks ever more rarely, so that it does not take the cache line away from the
/// thread it waits for with every look.
template <class Hint>
void queue_core::spin(lock_type& lock, side& mine, Hint hint) noexcept {
    if (mine.spinning != 0 || !spinning_helps()) return;
    mine.spinning = 1;
    lock.unlock();
    constexpr int longest = 32;                      // pauses between two looks
    spin_limit limit(std::chrono::microseconds(10)); // a sleep and its wake-up cost 30 and more
    for (int pauses = 1; !hint() && !limit.reached(pauses);
         pauses = std::min(2 * pauses, longest)) {
        for (int i = 0; i < pauses; ++i) pause();
    }
    lock.lock();
    mine.spinning = 0;
}

bool queue_core::await_room(lock_type& lock, deadline limit) {
    const auto ready = [&] { return shut_down_ || size() < limit_; };
    if (!ready()) {
        if (limit.passed()) return false;
        spin(lock, putters_, [&] { return size() < limit_; });
        if (!putters_.waiters.wait(lock, limit, ready)) return false;
    }
    if (shut_down_) throw_shut_down("put");
    return true;
}

bool queue_core::await_item(lock_type& lock, deadline limit) {
    const auto ready = [&] { return shut_down_ || size() != 0; };
    if (!ready()) {
        if (limit.passed()) return false;
        spin(lock, getters_, [&] { return size() != 0; });
        if (!getters_.waiters.wait(lock, limit, ready)) return false;
    }
    return size() != 0;
}

void queue_core::count_done(lock_type& lock) noexcept {
    if (--unfinished_ == 0) joiners_.notify_all(lock);
}

void queue_core::task_done() {
    lock_type lock(mutex_);
    if (unfinished_ == 0) {
        throw invalid_state_error("task_done: called more often than items were put into the "
                                  "queue; call it once for each item taken");
    }
    count_done(lock);
}

void queue_core::task_done_quietly() noexcept {
    lock_type lock(mutex_);
    if (unfinished_ != 0) count_done(lock);
}

void queue_core::join() {
    lock_type lock(mutex_);
    joiners_.wait(lock, deadline::never(), [&] { return unfinished_ == 0; });
}

void queue_core::begin_shutdown(lock_type& lock, std::size_t dropped) noexcept {
    shut_down_ = true;
    set_size(size() - dropped);
    // Less than `dropped` may be unfinished if task_done was called for items still queued.
    unfinished_ -= std::min(unfinished_, dropped);
    const bool joined = unfinished_ == 0;
    getters_.waiters.notify_all(lock);
    lock.lock();
    putters_.waiters.notify_all(lock);
    if (!joined) return;
    lock.lock();
    joiners_.notify_all(lock);
}

} // namespace heddle::detail
