/// `barrier`: a place where a fixed number of threads wait until all of them have come.
#pragma once

#include <heddle/detail/parking.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <functional>

namespace heddle {

/// A meeting place for a fixed number of threads, used again and again, that can break.
///
/// Unlike `std::barrier`, a thread that will not come does not leave the others waiting for ever:
/// a wait can time out and anybody can `abort`; everybody then gets `broken_barrier_error`.
///
/// Example:
///     heddle::barrier step(workers);
///     compute_my_part();
///     if (step.wait() == 0) report_progress(); // one of them
///
/// Thread safety: all members may be called from any thread. Lifetime: no thread may be inside a
/// call when it is destroyed.
class barrier {
public:
    /// Makes a barrier for `parties` threads. `action`, if given, is called each time all have
    /// come, by the one who came last, before any is released; if it throws, the barrier breaks and
    /// that thread gets the exception. Throws `std::invalid_argument` if `parties` is less than 1.
    explicit barrier(int parties, std::function<void()> action = {});
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    /// Blocks until all parties have come; returns which one this was, 0 for the first.
    ///
    /// Throws `broken_barrier_error` if the barrier is broken, or breaks or is reset meanwhile.
    int wait() { return wait_until(detail::deadline::never()); }

    /// As `wait`, for at most `d`. When the time is up it breaks the barrier and throws
    /// `timeout_error`; the others get `broken_barrier_error`. If all have come by then, it
    /// returns as `wait` does, when the action has ended.
    template <class Rep, class Period>
    int wait_for(std::chrono::duration<Rep, Period> d) {
        return wait_until(detail::deadline::after(d));
    }

    /// Breaks the barrier: all who wait, and all who come until `reset`, get
    /// `broken_barrier_error`. Does not block.
    void abort() noexcept;

    /// Makes the barrier as new; who waits gets `broken_barrier_error`. Does not block.
    void reset() noexcept;

    /// Tells whether the barrier is broken. Does not block.
    bool broken() const noexcept;

    /// Returns the number of threads that meet here.
    int parties() const noexcept { return parties_; }

private:
    using lock_type = detail::wait_list::lock_type;
    enum class phase { filling, in_action, broken };
    enum class fate { waiting, passed, broken };
    /// One waiting thread; lives on its stack, in the list while its fate is `waiting`.
    struct party {
        fate what = fate::waiting;
        party* next = nullptr;
    };

    int wait_until(detail::deadline limit);
    void complete(lock_type& lock, party& last);
    /// Ends the round for all who have come; releases `lock`.
    void finish_round(lock_type& lock, fate what, phase next) noexcept;

    const int parties_;
    const std::function<void()> action_;
    mutable detail::light_mutex mutex_;
    detail::wait_list changed_;
    phase phase_ = phase::filling;
    int arrived_ = 0;
    party* round_ = nullptr;
};

} // namespace heddle
