/// `aio::event`, `semaphore` and `barrier`, and with mutex.hpp `mutex` and `condition`: how
/// coroutines of one loop wait for each other.
///
/// Coroutines of a loop interleave only where they await, so data needs a lock only if it must not
/// be seen half changed across an await. Who waits is served first come first served. A wait of a
/// coroutine that is cancelled throws `cancelled_error` and has taken nothing; so does one for
/// which the thing waited for is destroyed. Nothing here may be shared by threads or by two loops:
/// `heddle::event` and the others in sync.hpp are for those.
#pragma once

#include <heddle/aio/mutex.hpp>
#include <heddle/aio/task.hpp>
#include <heddle/aio/timeout.hpp>
#include <heddle/detail/waiting_line.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <utility>

namespace heddle::aio {

/// A flag to wait for; as `heddle::event`, for coroutines.
///
/// Example:
///     co_await ready.wait();
///
/// Thread safety: one loop. Lifetime: outlives who uses it.
class event {
    /// What `wait` gives, until somebody awaits it.
    struct to_wait {
        detail::plain_wait operator co_await() const noexcept {
            return detail::plain_wait(of.line_, of.set_, "an event");
        }
        event& of;
    };

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
    [[nodiscard("co_await it")]] to_wait wait() noexcept { return {*this}; }
    /// Awaits the flag for at most `limit`; tells whether it is set. Throws `cancelled_error`.
    template <class Rep, class Period>
    task<bool> wait_for(std::chrono::duration<Rep, Period> limit) {
        return wait_within(timeout(limit, wait()));
    }

private:
    static task<bool> wait_within(task<> wait) {
        try {
            co_await wait;
        } catch (const timeout_error&) {
            co_return false;
        }
        co_return true;
    }

    detail::waiting_line line_;
    bool set_ = false;
};

/// A number of permits; how many coroutines may do something at the same time.
///
/// Example:
///     heddle::aio::semaphore connections(8);
///     auto permit = co_await connections.permit();
///
/// Thread safety: one loop. Lifetime: outlives its permits and who uses it.
class semaphore {
    /// What `acquire` gives, until somebody awaits it.
    struct to_acquire {
        detail::tickets::taking_one operator co_await() const noexcept {
            return {of, "a semaphore"};
        }
        detail::tickets& of;
    };

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
    [[nodiscard("co_await it")]] to_acquire acquire() noexcept { return {free_}; }
    /// The same, given back when the result goes.
    task<held_permit> permit() {
        co_await acquire();
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

/// A place where a fixed number of coroutines wait until all of them have come, again and again.
///
/// Example:
///     if (co_await step.wait() == 0) report_progress(); // one of them
///
/// Thread safety: one loop. Lifetime: outlives who uses it.
class barrier {
    /// The wait of one; who comes last tells it its index.
    class arrival final : public detail::line_wait {
    public:
        explicit arrival(barrier& at) noexcept : line_wait("a barrier"), at_(at) {}
        bool await_ready() { return refused("a barrier") || at_.open_if_last(index); }
        void await_suspend(std::coroutine_handle<> h) noexcept { stand_in(at_.line_, h); }
        std::size_t await_resume() {
            step_out();
            if (!was_served()) throw_if_refused();
            return index;
        }
        std::size_t index = 0;

    private:
        barrier& at_;
    };
    /// What `wait` gives, until somebody awaits it.
    struct to_wait {
        arrival operator co_await() const noexcept { return arrival(of); }
        barrier& of;
    };

public:
    /// Makes a barrier for `parties`; less than 1 counts as 1.
    explicit barrier(std::size_t parties) noexcept : parties_(parties == 0 ? 1 : parties) {}

    /// Awaits that all have come; gives the place of this one among them: 0, 1, … in the order in
    /// which they came.
    ///
    /// Throws `cancelled_error`; then it is as if this one had not come.
    [[nodiscard("co_await it")]] to_wait wait() noexcept { return {*this}; }
    /// Returns the number of coroutines that meet here.
    std::size_t parties() const noexcept { return parties_; }

private:
    /// Lets all go, and tells the last one its index, if only that one was missing.
    bool open_if_last(std::size_t& index) noexcept {
        if (line_.length() + 1 < parties_) return false;
        // Only now is it known who is here: some may have been cancelled.
        index = 0;
        while (auto* const one = line_.serve_one()) static_cast<arrival*>(one)->index = index++;
        return true;
    }

    const std::size_t parties_;
    detail::waiting_line line_;
};

} // namespace heddle::aio
