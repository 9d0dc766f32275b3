/// Durations and the one clock that every timed call of Heddle reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace heddle {

/// How Heddle stores a length of time; every `std::chrono` duration of whole units converts.
using duration = std::chrono::nanoseconds;

namespace detail {

/// Nanoseconds on the steady clock, or on the test clock while one is installed.
std::int64_t now_ns() noexcept;
/// True while a test_clock exists: time passes only when a test says so.
bool clock_is_set_by_hand() noexcept;

/// A point on the steady clock after which a wait gives up. Wall-clock jumps do not matter.
struct deadline {
    std::int64_t ns = std::numeric_limits<std::int64_t>::max();
    static constexpr double longest = 9.0e9; ///< seconds; 285 years, short of the 292 that fit

    static constexpr deadline never() noexcept { return {}; }
    bool is_never() const noexcept { return ns == std::numeric_limits<std::int64_t>::max(); }
    bool passed() const noexcept { return !is_never() && now_ns() >= ns; }

    /// The deadline `d` from now. Zero or less means "try once"; too long to count means never.
    template <class Rep, class Period>
    static deadline after(std::chrono::duration<Rep, Period> d) noexcept {
        using seconds = std::chrono::duration<double>;
        if (!(d > d.zero())) return {std::numeric_limits<std::int64_t>::min()};
        const std::int64_t now = now_ns();
        if (std::chrono::duration_cast<seconds>(d).count() > longest) return never();
        const auto ns = std::chrono::ceil<duration>(d).count();
        return {ns > std::numeric_limits<std::int64_t>::max() - now ? never().ns : now + ns};
    }
    /// The deadline at `tp`, translated to the steady clock once, now.
    template <class Clock, class Duration>
    static deadline at(std::chrono::time_point<Clock, Duration> tp) noexcept {
        // Compared in floating point first: the exact difference to a far end of time overflows.
        using seconds = std::chrono::duration<double>;
        const auto now = Clock::now();
        const double away =
            (seconds(tp.time_since_epoch()) - seconds(now.time_since_epoch())).count();
        if (away > longest) return never();
        if (away < 0) return after(duration::zero());
        return after(tp - now);
    }
};

} // namespace detail
} // namespace heddle
