/// `aio::mutex`, `event`, `semaphore`, `condition` and `barrier`: how coroutines of one loop wait
/// for each other.
///
/// Coroutines of a loop interleave only where they await, so data needs a lock only if it must not
/// be seen half changed across an await. Who waits is served first come first served. A wait of a
/// coroutine that is cancelled throws `cancelled_error` and has taken nothing. Nothing here may be
/// shared by threads or by two loops: `heddle::event` and the others in sync.hpp are for those.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/waiting_line.hpp>

#include <coroutine>
#include <cstddef>
#include <utility>

namespace heddle::aio {

/// A lock that may be held across an await.
///
/// Example:
///     auto guard = co_await mutex.lock();
///     balance = co_await read();
///     co_await write(balance - 10);
///
/// Thread safety: one loop. Lifetime: outlives its guards and who waits.
class mutex {
public:
    /// Holds the mutex until it goes; `co_await mutex.lock()` gives one.
    ///
    /// Thread safety: one loop. Lifetime: the mutex must outlive it.
    class [[nodiscard]] guard {
    public:
        guard() noexcept = default;
        guard(guard&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
        guard& operator=(guard&& other) noexcept {
            guard taken(std::move(other));
            std::swap(held_, taken.held_);
            return *this;
        }
        ~guard() { unlock(); }

        /// Tells whether it holds the mutex.
        explicit operator bool() const noexcept { return held_ != nullptr; }
        /// Lets go before its time; who waits longest has the mutex then.
        void unlock() noexcept {
            if (held_) std::exchange(held_, nullptr)->unlock();
        }

    private:
        friend class mutex;
        friend class condition;
        explicit guard(mutex& held) noexcept : held_(&held) {}
        mutex* held_ = nullptr;
    };

private:
    class locking final : public detail::line_wait {
    public:
        locking(mutex& m, bool in_any_case) noexcept
            : line_wait("a mutex"), mutex_(m), in_any_case_(in_any_case) {}
        bool await_ready() {
            if (refused("lock") && !in_any_case_) return true;
            if (mutex_.locked_) return false;
            return mutex_.locked_ = true;
        }
        void await_suspend(std::coroutine_handle<> at) noexcept { stand_in(mutex_.line_, at); }
        guard await_resume() const {
            if (!in_any_case_) throw_if_refused();
            return guard(mutex_);
        }

    private:
        void cancel() noexcept override {
            if (!in_any_case_) line_wait::cancel();
        }
        mutex& mutex_;
        const bool in_any_case_; ///< to be had even by a cancelled coroutine
    };

public:
    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Awaits the mutex; gives a guard. Throws `cancelled_error`.
    [[nodiscard("co_await it")]] locking lock() noexcept { return locking(*this, false); }
    /// Gives a guard that holds the mutex if it was free, and an empty one otherwise.
    guard try_lock() noexcept {
        if (locked_) return guard();
        locked_ = true;
        return guard(*this);
    }
    /// Tells whether somebody holds it.
    bool locked() const noexcept { return locked_; }

private:
    friend class condition;
    void unlock() noexcept {
        if (!line_.serve_one()) locked_ = false; // else it is the other's now
    }

    detail::waiting_line line_;
    bool locked_ = false;
};

/// A flag to wait for; as `heddle::event`, for coroutines.
///
/// Example:
///     co_await ready.wait();
///
/// Thread safety: one loop. Lifetime: outlives who waits.
class event {
public:
    /// Sets the flag and lets everybody go who waits, even if it is cleared at once.
    void set() noexcept {
        set_ = true;
        line_.serve_all();
    }
    /// Clears the flag; later waits wait until the next `set`.
    void clear() noexcept { set_ = false; }
    /// Tells whether the flag is set.
    bool is_set() const noexcept { return set_; }
    /// Awaits the flag. Throws `cancelled_error`.
    [[nodiscard("co_await it")]] detail::plain_wait wait() noexcept {
        return detail::plain_wait(line_, set_, "an event");
    }

private:
    detail::waiting_line line_;
    bool set_ = false;
};

/// A number of permits; how many coroutines may do something at the same time.
///
/// Example:
///     heddle::aio::semaphore connections(8);
///     auto permit = co_await connections.permit();
///
/// Thread safety: one loop. Lifetime: outlives its permits and who waits.
class semaphore {
public:
    /// Gives one permit back when it goes; `co_await semaphore.permit()` gives one.
    ///
    /// Thread safety: one loop. Lifetime: the semaphore must outlive it.
    class [[nodiscard]] held_permit {
    public:
        held_permit(held_permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
        held_permit& operator=(held_permit&&) = delete;
        ~held_permit() {
            if (from_) from_->release();
        }

    private:
        friend class semaphore;
        explicit held_permit(semaphore& from) noexcept : from_(&from) {}
        semaphore* from_;
    };

    /// Starts with `permits`.
    explicit semaphore(std::size_t permits) noexcept : free_(permits) {}

    /// Awaits a permit and takes it; `release` gives it back. Throws `cancelled_error`.
    [[nodiscard("co_await it")]] detail::tickets::taking acquire() noexcept {
        return free_.take("a semaphore");
    }
    /// The same, given back when the result goes.
    task<held_permit> permit() {
        (void)co_await acquire();
        co_return held_permit(*this);
    }
    /// Takes a permit if there is one; tells whether it did.
    [[nodiscard]] bool try_acquire() noexcept { return free_.try_take(); }
    /// Gives `n` permits back, first to those who wait longest.
    void release(std::size_t n = 1) noexcept { free_.add(n); }
    /// Returns the number of permits that nobody has.
    std::size_t available() const noexcept { return free_.count(); }

private:
    detail::tickets free_;
};

/// A way to wait until something that a mutex guards has changed.
///
/// Example:
///     auto guard = co_await mutex.lock();
///     co_await changed.wait(guard, [&] { return !jobs.empty(); });
///
/// Thread safety: one loop. Lifetime: outlives who waits; the mutex outlives it.
class condition {
public:
    /// Goes with `guards`, which every waiter holds.
    explicit condition(mutex& guards) noexcept : mutex_(guards) {}

    /// Lets go of the mutex, awaits a notification, and takes the mutex again: also when it throws
    /// `cancelled_error`. `held` must hold the mutex, and stay where it is.
    task<> wait(mutex::guard& held) {
        detail::waiting_line& line = line_;
        held.held_ = nullptr;
        bool cancelled = false;
        {
            notification told(line, mutex_);
            cancelled = co_await notification::waiting{told};
        }
        held = co_await mutex::locking(mutex_, true);
        if (cancelled) notification::give_up();
    }
    /// The same, again and again until `ready()`, which is called with the mutex held.
    template <class Predicate>
    task<> wait(mutex::guard& held, Predicate ready) {
        while (!ready()) co_await wait(held);
    }
    /// Lets the longest waiter go on.
    void notify_one() noexcept { line_.serve_one(); }
    /// Lets all waiters go on, one after the other.
    void notify_all() noexcept { line_.serve_all(); }

private:
    class notification final : public detail::line_wait {
    public:
        notification(detail::waiting_line& line, mutex& m) noexcept
            : line_wait("a condition"), in_(line), mutex_(m) {}
        /// What is awaited: true if the coroutine was cancelled instead of notified.
        struct waiting {
            bool await_ready() const { return of.is_refused(); }
            void await_suspend(std::coroutine_handle<> at) const noexcept { of.stop(at); }
            bool await_resume() const noexcept { return of.was_refused(); }
            notification& of;
        };
        [[noreturn]] static void give_up() { throw_cancelled(); }

    private:
        friend struct waiting;
        bool is_refused() {
            if (!refused("wait")) return false;
            mutex_.unlock();
            return true;
        }
        void stop(std::coroutine_handle<> at) noexcept {
            stand_in(in_, at);
            mutex_.unlock();
        }
        detail::waiting_line& in_;
        mutex& mutex_;
    };

    mutex& mutex_;
    detail::waiting_line line_;
};

/// A place where a fixed number of coroutines wait until all of them have come, again and again.
///
/// Example:
///     if (co_await step.wait() == 0) report_progress(); // one of them
///
/// Thread safety: one loop. Lifetime: outlives who waits.
class barrier {
public:
    /// Makes a barrier for `parties`; less than 1 counts as 1.
    explicit barrier(std::size_t parties) noexcept : parties_(parties == 0 ? 1 : parties) {}

    /// Awaits that all have come; gives the number of those who came before this one.
    ///
    /// Throws `cancelled_error`; then it is as if this one had not come.
    task<std::size_t> wait() {
        const std::size_t index = line_.length();
        if (index + 1 == parties_) {
            line_.serve_all();
            co_return index;
        }
        co_await detail::plain_wait(line_, false, "a barrier");
        co_return index;
    }
    /// Returns the number of coroutines that meet here.
    std::size_t parties() const noexcept { return parties_; }

private:
    const std::size_t parties_;
    detail::waiting_line line_;
};

} // namespace heddle::aio
