/// `mp::queue<T>`: how processes hand work to each other.
#pragma once

#include <heddle/detail/archive.hpp>
#include <heddle/detail/shared_memory.hpp>
#include <heddle/error.hpp>
#include <heddle/queue.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace heddle::mp {

/// A queue between processes, first in first out, with the verbs of `heddle::queue`.
///
/// A handle: copies, also those that were passed to other processes (as arguments, inside them, as
/// results), mean the same queue. Items are trivially copyable, or anything that cereal can save
/// and load; they are copied into shared memory, which has no name and is freed with the last
/// handle. A process that dies inside a call holds up nobody: its put or get has happened or not,
/// and no item is ever seen by half. But an item that it had taken goes with it, and is never
/// `task_done`. An operation costs about 0.2 µs if nobody sleeps, and a copy of the item each way.
///
/// Example:
///     void consume(heddle::mp::queue<std::string> jobs) {
///         for (auto& job : jobs) work_on(job); // until shut down and empty: no sentinel
///     }
///     heddle::mp::queue<std::string> jobs(100);
///     heddle::mp::process worker(consume, jobs);
///     for (int i = 0; i < 1000; ++i) jobs.put("job " + std::to_string(i));
///     jobs.shutdown();
///
/// Thread safety: all members may be called from any thread of any process. Lifetime: the queue
/// lives as long as any handle.
template <class T>
class queue {
    static constexpr bool plain = std::is_trivially_copyable_v<T>;

public:
    using value_type = T;

    /// Makes a queue without a bound.
    queue() : queue(0) {}
    /// Makes a queue for at most `capacity` items; 0: without a bound. About 10 µs.
    /// @throws std::invalid_argument  `capacity` is a negative number in disguise.
    /// @throws std::system_error  there is no memory or no descriptor left.
    explicit queue(std::size_t capacity) {
        static_assert(plain || detail::transferable<T>,
                      "heddle: cereal cannot save and load the items of this mp::queue; give their "
                      "type a default constructor and template <class A> void serialize(A& a) { "
                      "a(member...); }");
        static_assert(!std::is_pointer_v<T>,
                      "heddle: a pointer means nothing in another process; put what it points to");
        shared_ = std::make_shared<detail::shared_queue>(capacity, plain ? sizeof(T) : 0);
    }

    /// Puts a copy of an item in; blocks while the queue is full.
    /// @throws queue_shut_down_error  the queue is, or while waiting gets, shut down.
    /// @throws std::bad_alloc  there is no memory for it. And what encoding the item throws. The
    /// queue is then as it was.
    void put(const T& item) const { put_until(item, detail::deadline::never()); }
    /// Puts a copy of an item in if there is room now; returns whether it did. Errors as `put`.
    [[nodiscard]] bool try_put(const T& item) const { return put_until(item, at_once()); }
    /// Puts a copy of an item in; blocks for at most `d`; returns whether it did. Errors as `put`.
    template <class Rep, class Period>
    [[nodiscard]] bool put_for(const T& item, std::chrono::duration<Rep, Period> d) const {
        return put_until(item, detail::deadline::after(d));
    }

    /// Takes the next item out; blocks while the queue is empty.
    /// @throws queue_shut_down_error  the queue is shut down and nothing is left in it.
    /// And what decoding the item throws; the item is then gone.
    T get() const { return *std::move(got_until(detail::deadline::never())); }
    /// Takes the next item out, if there is one now. Errors as `get`.
    [[nodiscard]] std::optional<T> try_get() const { return got_until(at_once()); }
    /// Takes the next item out; blocks for at most `d`. Errors as `get`.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> get_for(std::chrono::duration<Rep, Period> d) const {
        return got_until(detail::deadline::after(d));
    }

    /// An item that is counted as done when it goes out of scope.
    ///
    /// Thread safety: as any value. Lifetime: keeps the queue.
    class [[nodiscard]] tracked {
    public:
        tracked(std::shared_ptr<detail::shared_queue> of, T&& item)
            : of_(std::move(of)), item_(std::move(item)) {}
        tracked(tracked&&) = default;
        tracked& operator=(tracked&&) = delete;
        ~tracked() {
            if (of_) of_->task_done_quietly();
        }
        T& operator*() noexcept { return item_; }
        const T& operator*() const noexcept { return item_; }
        T* operator->() noexcept { return &item_; }
        const T* operator->() const noexcept { return &item_; }

    private:
        std::shared_ptr<detail::shared_queue> of_;
        T item_;
    };
    /// As `get`, and calls `task_done` when what is returned (`*item`, `item->`) goes out of scope.
    tracked get_tracked() const { return tracked(shared_, get()); }

    /// Counts one item that was put as worked off; `join` waits for these. Does not block.
    /// @throws invalid_state_error  called more often than items were put; nothing has changed.
    void task_done() const { shared_->task_done(); }
    /// Blocks until every item that was ever put has been counted by `task_done`, or dropped by
    /// `shutdown(immediate)`. The items of a process that died are never counted.
    void join() const { shared_->join(); }

    /// Returns how many items are queued. Never blocks; others may change it at once.
    std::size_t size() const noexcept { return shared_->size(); }
    bool empty() const noexcept { return size() == 0; }
    /// Tells whether a put would have to wait for room. Never blocks; a snapshot, as `size`.
    bool full() const noexcept { return shared_->full(); }
    /// Returns the greatest number of items that fit; 0 if there is no bound.
    std::size_t capacity() const noexcept { return shared_->capacity(); }

    /// Takes no more items. What is queued can still be taken out; blocked callers wake, in every
    /// process; a further `put`, and a `get` that finds nothing, throw `queue_shut_down_error`.
    void shutdown() const { shared_->shutdown(false); }
    /// As `shutdown()`, and drops what is queued and counts it as done.
    void shutdown(immediate_t) const { shared_->shutdown(true); }

    /// Iterates over the items as `get` gives them, until the queue is shut down and empty.
    ///
    /// Thread safety: one thread at a time; several iterators may be at one queue, each item comes
    /// to exactly one of them. Lifetime: the queue must outlive it; `*it` is valid until `++it`.
    class iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        /// Takes the first item out.
        explicit iterator(const queue& of) : of_(&of) { of.next(item_); }
        T& operator*() const noexcept { return *item_; }
        T* operator->() const noexcept { return &*item_; }
        /// Takes the next item out; blocks while the queue is empty.
        iterator& operator++() {
            of_->next(item_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return !it.item_;
        }

    private:
        const queue* of_;
        mutable std::optional<T> item_; // dereferencing an input iterator is const, the item is not
    };
    /// Starts `for (auto& item : queue)`; takes the first item out, blocks while there is none.
    iterator begin() const { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Sends the handle to another process; called by cereal.
    void save(detail::out_archive& to) const { to(to.attach(shared_->file())); }
    /// Makes this the handle that was sent; called by cereal.
    void load(detail::in_archive& from) {
        std::uint32_t place = 0;
        from(place);
        shared_ = std::make_shared<detail::shared_queue>(from.attached(place));
    }

private:
    using outcome = detail::shared_queue::taken;

    static detail::deadline at_once() noexcept {
        return detail::deadline::after(std::chrono::seconds(0));
    }
    bool put_until(const T& item, detail::deadline limit) const {
        if constexpr (plain) {
            return shared_->put(std::as_bytes(std::span(&item, 1)), limit);
        } else {
            detail::message encoded;
            detail::out_archive to(encoded, false);
            to(item);
            return shared_->put(encoded.body(), limit);
        }
    }
    outcome take(std::optional<T>& into, detail::deadline limit) const {
        into.reset();
        if constexpr (plain) { // T need not be default constructible
            struct alignas(T) storage {
                std::byte bytes[sizeof(T)];
            } copy;
            const outcome how = shared_->get(&copy, sizeof copy, limit);
            if (how == outcome::item) into.emplace(__builtin_bit_cast(T, copy));
            return how;
        } else {
            detail::reader encoded;
            const outcome how = shared_->get(encoded, limit);
            if (how != outcome::item) return how;
            detail::in_archive from(encoded);
            from(into.emplace());
            return how;
        }
    }
    std::optional<T> got_until(detail::deadline limit) const {
        std::optional<T> item;
        if (take(item, limit) == outcome::ended) detail::shared_queue::throw_shut_down("get");
        return item;
    }
    void next(std::optional<T>& item) const { take(item, detail::deadline::never()); }

    std::shared_ptr<detail::shared_queue> shared_;
};

} // namespace heddle::mp
