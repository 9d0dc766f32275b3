/// `bounded_semaphore`: a count of permits that cannot grow past its start.
#pragma once

#include <heddle/detail/parking.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <cstddef>

namespace heddle {

/// A number of permits that threads take and give back; giving back more than were taken is an
/// error, as it is nearly always a bug. (`std::counting_semaphore` does not notice.)
///
/// Example:
///     heddle::bounded_semaphore connections(8);
///     connections.acquire();
///     talk();
///     connections.release();
///
/// Thread safety: all members may be called from any thread. Lifetime: no thread may wait in it
/// when it is destroyed.
class bounded_semaphore {
public:
    /// Starts with `permits`, which is also the bound. Throws `std::invalid_argument` if negative.
    explicit bounded_semaphore(std::ptrdiff_t permits);
    bounded_semaphore(const bounded_semaphore&) = delete;
    bounded_semaphore& operator=(const bounded_semaphore&) = delete;

    /// Takes a permit; blocks while there is none. Who sleeps longest is woken first.
    void acquire() noexcept { acquire_until(detail::deadline::never()); }

    /// Takes a permit if there is one; returns whether it did. Never waits.
    [[nodiscard]] bool try_acquire() noexcept;

    /// Takes a permit; blocks for at most `d` while there is none; returns whether it did. A
    /// permit that comes at the same instant as the time limit is taken.
    template <class Rep, class Period>
    [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> d) noexcept {
        return acquire_until(detail::deadline::after(d));
    }

    /// Gives back `n` permits. Does not block.
    ///
    /// Throws `std::invalid_argument` if `n` is less than 1, and `invalid_state_error` if there
    /// would be more permits than at the start; the number of permits is unchanged then.
    void release(std::ptrdiff_t n = 1);

private:
    bool acquire_until(detail::deadline limit) noexcept;

    detail::light_mutex mutex_;
    detail::wait_list waiters_;
    const std::ptrdiff_t bound_;
    std::ptrdiff_t free_;
};

} // namespace heddle
