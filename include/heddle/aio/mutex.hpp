/// `aio::mutex` and `aio::condition`: what must not be seen half changed across an await.
///
/// What holds for all of sync.hpp holds here: one loop, first come first served; a wait that is
/// cancelled, or whose mutex is destroyed, throws `cancelled_error` and has taken nothing.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/waiting_line.hpp>
#include <heddle/error.hpp>

#include <coroutine>
#include <utility>

namespace heddle::aio {

/// A lock that may be held across an await.
///
/// Example:
///     auto guard = co_await mutex.lock();
///     balance = co_await read();
///     co_await write(balance - 10);
///
/// Thread safety: one loop. Lifetime: outlives its guards and who uses it.
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
        guard await_resume() {
            step_out();
            if (!in_any_case_ || was_left_alone()) throw_if_refused();
            return guard(mutex_);
        }

    private:
        void cancel() noexcept override {
            if (!in_any_case_) line_wait::cancel();
        }
        mutex& mutex_;
        const bool in_any_case_; ///< to be had even by a cancelled coroutine
    };
    /// What `lock` gives, until somebody awaits it.
    struct to_lock {
        locking operator co_await() const noexcept { return locking(of, false); }
        mutex& of;
    };

public:
    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Awaits the mutex; gives a guard. Throws `cancelled_error`.
    [[nodiscard("co_await it")]] to_lock lock() noexcept { return {*this}; }
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

/// A way to wait until something that a mutex guards has changed.
///
/// Example:
///     auto guard = co_await mutex.lock();
///     co_await changed.wait(guard, [&] { return !jobs.empty(); });
///
/// Thread safety: one loop. Lifetime: outlives who uses it; the mutex outlives it.
class condition {
public:
    /// Goes with `guards`, which every waiter holds.
    explicit condition(mutex& guards) noexcept : mutex_(guards) {}

    /// Lets go of the mutex, awaits a notification, and takes the mutex again: also when it throws
    /// `cancelled_error`, unless mutex and condition have gone. `held` must stay where it is.
    /// Throws `invalid_state_error`, having waited for nothing, if it does not hold the mutex.
    task<> wait(mutex::guard& held) {
        if (held.held_ != &mutex_) {
            throw invalid_state_error("condition: the guard does not hold the condition's mutex; "
                                      "lock it first");
        }
        detail::waiting_line& line = line_;
        held.held_ = nullptr;
        bool cancelled = false;
        {
            notification told(line, mutex_);
            cancelled = co_await notification::waiting{told}; // throws if all of this has gone
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
            bool await_resume() const {
                of.step_out();
                if (of.was_left_alone()) of.throw_if_refused();
                return of.was_refused();
            }
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

} // namespace heddle::aio
