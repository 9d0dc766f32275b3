/// `aio::queue<T>`: how coroutines of one loop hand work to each other.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/aio/timeout.hpp>
#include <heddle/detail/queue_containers.hpp>
#include <heddle/detail/waiting_line.hpp>
#include <heddle/error.hpp>
#include <heddle/queue.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

namespace heddle::aio {

/// A queue between coroutines, first in first out; as `heddle::queue`, but `put`, `get` and `join`
/// are awaited.
///
/// An item is handed to the getter that waits longest. A getter that is cancelled, by a `timeout`
/// say, either gets its item or has taken none: nothing is lost.
///
/// Example:
///     heddle::aio::queue<std::string> urls(100);
///     co_await urls.put("https://example.org");
///     while (auto url = co_await urls.next()) co_await fetch(*url);
///
/// Thread safety: one loop; between threads use `heddle::queue`. Lifetime: owns its items; outlives
/// who uses it. Who waits when it is destroyed gets `cancelled_error`.
template <class T>
class queue {
    static_assert(std::move_constructible<T>);

    /// The wait for room, and then the put.
    class put_awaiter final : public detail::tickets::wait_for_one {
    public:
        put_awaiter(queue& to, T& item) noexcept
            : wait_for_one(to.room_, "room in a queue"), to_(to), item_(item) {}
        void await_resume() {
            if (!got() || to_.shut_down_) throw_shut_down("put");
            to_.add(std::move(item_));
        }

    private:
        queue& to_;
        T& item_;
    };

    /// What `put` gives: the item, or where it is, until somebody awaits it.
    template <class Item>
    struct putting {
        put_awaiter operator co_await() { return put_awaiter(to, item); }
        putting<T> keep() && { return {to, std::move(item)}; }
        queue& to;
        Item item;
    };

public:
    using value_type = T;

    /// An item that is counted as done when this goes; `co_await queue.get_tracked()` gives one.
    ///
    /// Thread safety: one loop. Lifetime: the queue must outlive it.
    class [[nodiscard]] tracked {
    public:
        tracked(tracked&& other)
            : from_(std::exchange(other.from_, nullptr)), item_(std::move(other.item_)) {}
        tracked& operator=(tracked&&) = delete;
        ~tracked() {
            if (from_) from_->count_done();
        }
        T& operator*() noexcept { return item_; }
        const T& operator*() const noexcept { return item_; }
        T* operator->() noexcept { return &item_; }
        const T* operator->() const noexcept { return &item_; }

    private:
        friend class queue;
        tracked(queue& from, T&& item) : from_(&from), item_(std::move(item)) {}
        queue* from_;
        T item_;
    };

    /// Makes a queue for at most `capacity` items; 0: without a bound.
    explicit queue(std::size_t capacity = 0)
        : capacity_(capacity),
          room_(capacity ? capacity : std::numeric_limits<std::size_t>::max() / 2) {}
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;

    /// Puts an item in; awaits room while the queue is full.
    ///
    /// Throws `queue_shut_down_error` if the queue is, or while waiting gets, shut down, and
    /// `cancelled_error`; then nothing was put and an item that was moved in is the caller's still.
    /// It must live until then: `spawn` and task groups take it in themselves.
    [[nodiscard("co_await it")]] putting<T&> put(T&& item) noexcept { return {*this, item}; }
    [[nodiscard("co_await it")]] putting<T> put(const T& item)
        requires std::copy_constructible<T>
    {
        return {*this, item};
    }
    /// Puts an item in if there is room now; tells whether it did, and leaves it alone if not.
    ///
    /// Throws `queue_shut_down_error` if the queue is shut down.
    [[nodiscard]] bool try_put(T&& item) {
        refuse_if_shut_down("put");
        if (!room_.try_take()) return false;
        add(std::move(item));
        return true;
    }
    [[nodiscard]] bool try_put(const T& item)
        requires std::copy_constructible<T>
    {
        return try_put(T(item));
    }
    /// As `put`, for at most `limit`: tells whether it did, and leaves the item alone if not.
    template <class Rep, class Period>
    task<bool> put_for(T&& item, std::chrono::duration<Rep, Period> limit) {
        return within(timeout(limit, put(std::move(item))));
    }
    template <class Rep, class Period>
    task<bool> put_for(const T& item, std::chrono::duration<Rep, Period> limit)
        requires std::copy_constructible<T>
    {
        return within(timeout(limit, put(item)));
    }

    /// Takes the next item out; awaits one while the queue is empty.
    ///
    /// Throws `queue_shut_down_error` once the queue is shut down and nothing is left in it.
    task<T> get() {
        const bool there = co_await items_there_.take("an item of a queue");
        if (!there) throw_shut_down("get");
        co_return take();
    }
    /// The same; gives nothing once the queue is shut down and empty. For loops.
    task<std::optional<T>> next() {
        const bool there = co_await items_there_.take("an item of a queue");
        if (!there) co_return std::nullopt;
        co_return std::optional<T>(take());
    }
    /// Takes the next item out, if there is one now.
    ///
    /// Throws `queue_shut_down_error` once the queue is shut down and nothing is left in it.
    [[nodiscard]] std::optional<T> try_get() {
        if (items_there_.try_take()) return std::optional<T>(take());
        refuse_if_shut_down("get");
        return std::nullopt;
    }
    /// As `get`, for at most `limit`: gives nothing if there was none in time.
    template <class Rep, class Period>
    task<std::optional<T>> get_for(std::chrono::duration<Rep, Period> limit) {
        return get_within(timeout(limit, get()));
    }
    /// As `get`; the item is counted by `task_done` when the result goes.
    task<tracked> get_tracked() {
        const bool there = co_await items_there_.take("an item of a queue");
        if (!there) throw_shut_down("get");
        co_return tracked(*this, take());
    }

    /// Counts one item that was put as worked off. Throws `invalid_state_error` if called more
    /// often than items were put.
    void task_done() {
        if (unfinished_ == 0) {
            throw invalid_state_error("task_done: called more often than items were put");
        }
        count_done();
    }
    /// Awaits that every item that was ever put has been counted by `task_done` or dropped.
    task<> join() {
        if (unfinished_ != 0) co_await detail::plain_wait(joiners_, false, "join of a queue");
    }

    /// Returns how many items are queued, those on their way to a getter included.
    std::size_t size() const noexcept { return size_; }
    /// Tells whether no item is queued.
    bool empty() const noexcept { return size_ == 0; }
    /// Tells whether a put would have to wait.
    bool full() const noexcept { return room_.count() == 0; }
    /// Returns the greatest number of items that fit; 0 if there is no bound.
    std::size_t capacity() const noexcept { return capacity_; }

    /// Takes no more items; what is queued can still be taken out. Who waits in vain gets
    /// `queue_shut_down_error`.
    void shutdown() noexcept {
        shut_down_ = true;
        items_there_.close();
        room_.close();
    }
    /// As `shutdown()`, and drops what is queued and counts it as done. An item that a getter has
    /// been handed is not dropped.
    void shutdown(immediate_t) {
        shutdown();
        std::optional<T> dropped;
        while (items_there_.try_take()) {
            dropped.emplace(take());
            count_done();
        }
    }

private:
    [[noreturn]] static void throw_shut_down(const char* verb) {
        throw queue_shut_down_error(std::string(verb) + ": the queue has been shut down");
    }
    void refuse_if_shut_down(const char* verb) const {
        if (shut_down_) throw_shut_down(verb);
    }
    static task<bool> within(task<> put) {
        try {
            co_await put;
        } catch (const timeout_error&) {
            co_return false;
        }
        co_return true;
    }
    static task<std::optional<T>> get_within(task<T> get) {
        try {
            co_return std::optional<T>(co_await get);
        } catch (const timeout_error&) {
            co_return std::nullopt;
        }
    }
    void count_done() noexcept {
        if (unfinished_ != 0 && --unfinished_ == 0) joiners_.serve_all();
    }
    void add(T&& item) {
        try {
            items_.push(std::move(item));
        } catch (...) {
            room_.add(1);
            throw;
        }
        ++size_;
        ++unfinished_;
        items_there_.add(1);
    }
    T take() {
        --size_;
        room_.add(1);
        return items_.template take<T>();
    }

    const std::size_t capacity_;
    detail::ring<T> items_;
    detail::tickets items_there_{0}; ///< one for each item that no getter has been promised
    detail::tickets room_;           ///< one for each free place that no putter has been promised
    detail::waiting_line joiners_;
    std::size_t size_ = 0;
    std::size_t unfinished_ = 0;
    bool shut_down_ = false;
};

} // namespace heddle::aio
