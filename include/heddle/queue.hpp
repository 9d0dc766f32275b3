/// `queue<T>`, `lifo_queue<T>` and `priority_queue<T>`: how threads hand work to each other.
#pragma once

#include <heddle/detail/queue_containers.hpp>
#include <heddle/detail/queue_core.hpp>
#include <heddle/error.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

namespace heddle {

/// Asks `shutdown` to drop what is queued.
struct immediate_t {
    explicit immediate_t() = default;
};
inline constexpr immediate_t immediate{};

namespace detail {

/// An item taken from a queue that is counted as done when it goes out of scope.
///
/// Thread safety: as any value. Lifetime: the queue must outlive it.
template <class T>
class [[nodiscard]] tracked_item {
public:
    tracked_item(queue_core& queue, T&& item) : queue_(&queue), item_(std::move(item)) {}
    tracked_item(tracked_item&& other)
        : queue_(std::exchange(other.queue_, nullptr)), item_(std::move(other.item_)) {}
    tracked_item& operator=(tracked_item&&) = delete;
    ~tracked_item() {
        if (queue_) queue_->task_done_quietly();
    }

    T& operator*() noexcept { return item_; }
    const T& operator*() const noexcept { return item_; }
    T* operator->() noexcept { return &item_; }
    const T* operator->() const noexcept { return &item_; }

private:
    queue_core* queue_;
    T item_;
};

/// The interface of all three queues over one container, which decides the order.
///
/// What holds for every member: an item is moved (never copied) while the queue's mutex is held,
/// so the move constructor and the comparison must not use the same queue. A put that does not
/// succeed (it returned false or threw, `std::bad_alloc` included) leaves the item with the caller
/// and the queue as it was. A get whose item's own move throws leaves the item in the queue, in
/// the state its move left it in. A put or get costs about 15 ns while nobody sleeps, plus about
/// 10 us if it has to wake a sleeper. Storage grows with the greatest size and is kept.
///
/// Thread safety: all members may be called from any thread; in a child of `fork()` only if no
/// thread was inside a call at that moment. Lifetime: owns its items; no thread may be inside a
/// call, nor any iterator or tracked item exist, when it is destroyed.
template <class T, class Container>
class basic_queue : public queue_core {
    static_assert(std::move_constructible<T> && !std::is_reference_v<T>,
                  "heddle: the items of a queue must be movable objects; use a pointer otherwise");

public:
    using value_type = T;

    /// Puts an item in; blocks while the queue is full.
    ///
    /// Throws `queue_shut_down_error` if the queue is, or while waiting gets, shut down.
    ///
    /// Example:
    ///     heddle::queue<std::string> lines(100);
    ///     lines.put("hello");
    void put(T&& item) { put_until(std::move(item), deadline::never()); }
    void put(const T& item)
        requires std::copy_constructible<T>
    {
        put_until(T(item), deadline::never()); // copied before the mutex is taken
    }

    /// Puts an item in if there is room now; returns whether it did. Never waits.
    ///
    /// Throws `queue_shut_down_error` if the queue is shut down.
    [[nodiscard]] bool try_put(T&& item) { return put_until(std::move(item), at_once); }
    [[nodiscard]] bool try_put(const T& item)
        requires std::copy_constructible<T>
    {
        return put_until(T(item), at_once);
    }

    /// Puts an item in; blocks for at most `d` while the queue is full; returns whether it did.
    ///
    /// Throws `queue_shut_down_error` if the queue is, or while waiting gets, shut down.
    template <class Rep, class Period>
    [[nodiscard]] bool put_for(T&& item, std::chrono::duration<Rep, Period> d) {
        return put_until(std::move(item), deadline::after(d));
    }
    template <class Rep, class Period>
        requires std::copy_constructible<T>
    [[nodiscard]] bool put_for(const T& item, std::chrono::duration<Rep, Period> d) {
        return put_until(T(item), deadline::after(d));
    }

    /// Takes the next item out; blocks while the queue is empty.
    ///
    /// Throws `queue_shut_down_error` once the queue is shut down and nothing is left in it.
    T get() {
        lock_type lock(mutex_);
        if (!admit_get(lock, deadline::never())) throw_shut_down("get");
        return take<T>(lock);
    }

    /// Takes the next item out, if there is one now. Never waits.
    ///
    /// Throws `queue_shut_down_error` once the queue is shut down and nothing is left in it.
    [[nodiscard]] std::optional<T> try_get() { return get_until(at_once); }

    /// Takes the next item out; blocks for at most `d` while the queue is empty. An item that
    /// comes at the same instant as the time limit is returned.
    ///
    /// Throws `queue_shut_down_error` once the queue is shut down and nothing is left in it.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> get_for(std::chrono::duration<Rep, Period> d) {
        return get_until(deadline::after(d));
    }

    /// As `get`, and calls `task_done` when what is returned (`*item`, `item->`) goes out of scope.
    ///
    /// Example:
    ///     auto job = jobs.get_tracked();
    ///     job->run(); // counted as done also if this throws
    tracked_item<T> get_tracked() { return tracked_item<T>(*this, get()); }

    /// Takes no more items. What is queued can still be taken out; blocked callers wake; a further
    /// `put`, and a `get` that finds nothing, throw `queue_shut_down_error`. Does not block; may be
    /// called again.
    void shutdown() noexcept {
        lock_type lock(mutex_);
        begin_shutdown(lock, 0);
    }

    /// As `shutdown()`, and drops what is queued and counts it as done, so that `join` returns as
    /// soon as the items already taken out are done.
    void shutdown(immediate_t) noexcept {
        lock_type lock(mutex_);
        const auto dropped = items_.drop(); // destroyed after the mutex is released
        begin_shutdown(lock, size());
    }

    /// Iterates over the items as `get` gives them, until the queue is shut down and empty.
    ///
    /// Thread safety: several threads may iterate at once, each with its own iterator; every item
    /// comes to exactly one of them. Lifetime: the queue must outlive it; `*it` is valid until
    /// `++it`. An item counts as taken as soon as the iterator stands on it.
    class iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        explicit iterator(basic_queue& queue) : queue_(&queue), item_(queue.next()) {}

        T& operator*() const noexcept { return *item_; }
        T* operator->() const noexcept { return &*item_; }
        /// Takes the next item out; blocks while the queue is empty.
        iterator& operator++() {
            item_.reset();
            if (std::optional<T> next = queue_->next()) item_.emplace(std::move(*next));
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return !it.item_;
        }

    private:
        basic_queue* queue_;
        mutable std::optional<T> item_; // dereferencing an input iterator is const, the item is not
    };

    /// Starts `for (auto& item : queue)`; takes the first item out, blocks while there is none.
    iterator begin() { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

protected:
    template <class... Args>
    explicit basic_queue(std::size_t capacity, Args&&... args)
        : queue_core(capacity), items_(std::forward<Args>(args)...) {}
    ~basic_queue() = default;

private:
    static constexpr deadline at_once{std::numeric_limits<std::int64_t>::min()};

    bool put_until(T&& item, deadline limit) {
        lock_type lock(mutex_);
        if (!admit_put(lock, limit)) return false;
        try {
            items_.push(std::move(item));
        } catch (...) {
            wake_putter(lock); // the room that this call was woken for is still there
            throw;
        }
        finish_put(lock);
        return true;
    }

    std::optional<T> get_until(deadline limit) {
        lock_type lock(mutex_);
        if (!admit_get(lock, limit)) {
            if (ended()) throw_shut_down("get");
            return std::nullopt;
        }
        return take<std::optional<T>>(lock);
    }

    std::optional<T> next() {
        lock_type lock(mutex_);
        if (!admit_get(lock, deadline::never())) return std::nullopt;
        return take<std::optional<T>>(lock);
    }

    template <class R>
    R take(lock_type& lock) {
        try {
            R item = items_.template take<R>();
            count_get();
            wake_putter(lock);
            return item;
        } catch (...) {
            wake_getter(lock); // the item that this call was woken for is still there
            throw;
        }
    }

    Container items_;
};

} // namespace detail

/// A queue between threads, first in first out.
///
/// Example:
///     heddle::queue<int> numbers(16);
///     heddle::thread worker([&] { for (int& n : numbers) consume(n); });
///     for (int i = 0; i < 100; ++i) numbers.put(i);
///     numbers.shutdown(); // the worker's loop ends when everything has been taken
///
/// Thread safety: all members may be called from any thread; in a child of `fork()` only if no
/// thread was inside a call at that moment. Lifetime: owns its items; no thread may be inside a
/// call when it is destroyed.
template <class T>
class queue : public detail::basic_queue<T, detail::ring<T>> {
public:
    /// Makes a queue for at most `capacity` items; 0: without a bound. Allocates nothing yet.
    explicit queue(std::size_t capacity = 0) : detail::basic_queue<T, detail::ring<T>>(capacity) {}
};

/// A queue between threads, last in first out; in everything else as `queue`.
///
/// Thread safety: all members may be called from any thread. Lifetime: as `queue`.
template <class T>
class lifo_queue : public detail::basic_queue<T, detail::stack<T>> {
public:
    /// Makes a queue for at most `capacity` items; 0: without a bound. Allocates nothing yet.
    explicit lifo_queue(std::size_t capacity = 0)
        : detail::basic_queue<T, detail::stack<T>>(capacity) {}
};

/// A queue between threads, smallest item first, and first in first out among equal ones; in
/// everything else as `queue`. A put or get costs O(log size) comparisons; if one throws, the put
/// or get has done nothing.
///
/// Thread safety: all members may be called from any thread. Lifetime: as `queue`.
template <class T, class Compare = std::less<T>>
class priority_queue : public detail::basic_queue<T, detail::heap<T, Compare>> {
public:
    /// Makes a queue for at most `capacity` items; 0: without a bound. Allocates nothing yet.
    explicit priority_queue(std::size_t capacity = 0, Compare less = {})
        : detail::basic_queue<T, detail::heap<T, Compare>>(capacity, std::move(less)) {}
};

} // namespace heddle
