/// What all queues share and no item type touches: capacity, waiting, counting, shutting down.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/parking.hpp>

#include <cstddef>
#include <limits>

namespace heddle::detail {

/// The non-template part of `queue`, `lifo_queue` and `priority_queue`.
///
/// A put or a get holds the mutex for the move of one item. Whoever finds nothing to do spins for
/// a few microseconds, one thread a side, and then sleeps. Invariant of the wake-ups: if there are
/// more items than spinning getters and a getter sleeps in the list, then some getter has been
/// notified and has not looked yet; the same for room and putters. Every way out of a critical
/// section that changes the counts, also by an exception, goes through `wake_getter` or
/// `wake_putter`, which keep it. So a put or get costs at most one wake-up, and none while the
/// other side is awake.
///
/// Thread safety: all public members may be called from any thread. Lifetime: no thread may be
/// inside a call when it is destroyed.
class alignas(64) queue_core {
public:
    queue_core(const queue_core&) = delete;
    queue_core& operator=(const queue_core&) = delete;

    /// Returns how many items are queued. Never blocks; other threads may change it at once.
    std::size_t size() const noexcept {
        // relaxed: a snapshot that promises nothing about the items; pairs with nothing.
        return size_.load(std::memory_order_relaxed);
    }
    /// Tells whether no item is queued. Never blocks; a snapshot, as `size`.
    bool empty() const noexcept { return size() == 0; }
    /// Tells whether a put would have to wait for room. Never blocks; a snapshot, as `size`.
    bool full() const noexcept { return size() >= limit_; }
    /// Returns the greatest number of items that fit; 0 if there is no bound.
    std::size_t capacity() const noexcept { return limit_ == unbounded ? 0 : limit_; }

    /// Counts one item that was put as worked off; `join` waits for these.
    ///
    /// Throws `invalid_state_error`, and changes nothing, if called more often than items were
    /// put. Does not block.
    void task_done();

    /// Blocks until every item that was ever put has been counted by `task_done` (or dropped by
    /// `shutdown(immediate)`).
    void join();

protected:
    using lock_type = wait_list::lock_type;
    static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

    /// Throws `std::invalid_argument` for a capacity that is a negative number in disguise.
    explicit queue_core(std::size_t capacity);
    ~queue_core() = default;

    /// Waits for room. Returns false if the deadline passed first. Throws
    /// `queue_shut_down_error` once shut down.
    bool admit_put(lock_type& lock, deadline limit) {
        return has_room() || await_room(lock, limit);
    }
    /// Waits for an item. Returns false if the deadline passed first, or if the queue is shut
    /// down and empty; `ended` tells which.
    bool admit_get(lock_type& lock, deadline limit) {
        return size() != 0 || await_item(lock, limit);
    }
    bool ended() const noexcept { return shut_down_ && size() == 0; }
    [[noreturn]] static void throw_shut_down(const char* verb);

    /// Publishes one more item; releases `lock`.
    void finish_put(lock_type& lock) noexcept {
        set_size(size() + 1);
        ++unfinished_;
        wake_getter(lock);
    }
    /// Publishes one item less. Call `wake_putter` next, when the item is safe.
    void count_get() noexcept { set_size(size() - 1); }

    /// Hands what is there to a sleeper; both release `lock` if they wake somebody.
    void wake_getter(lock_type& lock) noexcept {
        if (!getters_.waiters.empty() && size() > getters_.spinning) {
            getters_.waiters.notify_one(lock);
        }
    }
    void wake_putter(lock_type& lock) noexcept {
        if (!putters_.waiters.empty() && limit_ - size() > putters_.spinning) {
            putters_.waiters.notify_one(lock);
        }
    }

    /// Refuses puts from now on and wakes everybody who sleeps; releases `lock`. The first
    /// `dropped` items count as gone and done.
    void begin_shutdown(lock_type& lock, std::size_t dropped) noexcept;
    /// `task_done` for destructors: does nothing where that would throw.
    void task_done_quietly() noexcept;

    light_mutex mutex_;

private:
    template <class T>
    friend class tracked_item;

    /// Those who wait for items, or for room.
    struct side {
        wait_list waiters;
        std::size_t spinning = 0; // 0 or 1
    };

    bool has_room() const noexcept { return size() < limit_ && !shut_down_; }
    bool await_room(lock_type& lock, deadline limit);
    bool await_item(lock_type& lock, deadline limit);
    template <class Hint>
    void spin(lock_type& lock, side& mine, Hint hint) noexcept;
    void count_done(lock_type& lock) noexcept;
    void set_size(std::size_t size) noexcept {
        // relaxed: written under the mutex; readers without it want a snapshot only.
        size_.store(size, std::memory_order_relaxed);
    }

    bool shut_down_ = false;
    /// Protocol: written under the mutex; read without it as a hint by `size` and by spinners,
    /// who take the mutex before they act on it.
    atomic<std::size_t> size_{0};
    const std::size_t limit_;
    std::size_t unfinished_ = 0;
    side getters_;
    side putters_;
    wait_list joiners_;
};

} // namespace heddle::detail
