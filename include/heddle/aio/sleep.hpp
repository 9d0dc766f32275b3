/// `aio::sleep_for`: wait without keeping the thread.
#pragma once

#include <heddle/detail/job.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <coroutine>

namespace heddle::detail {

/// A length of time in whole nanoseconds; what is too long to count is the greatest.
template <class Rep, class Period>
constexpr duration to_duration(std::chrono::duration<Rep, Period> d) noexcept {
    using seconds = std::chrono::duration<double>;
    if (!(d > d.zero())) return duration::zero();
    if (std::chrono::duration_cast<seconds>(d).count() > 9.0e9) return duration::max();
    return std::chrono::ceil<duration>(d);
}

/// What `sleep_for` gives, and the wait itself. To be moved only before it is awaited; that it is
/// no awaitable with an awaiter beside it keeps the frame of a task that sleeps in its size class.
class sleep_awaiter final : public leaf, public timer {
public:
    explicit sleep_awaiter(duration d) noexcept : length_(d) {}
    sleep_awaiter(sleep_awaiter&& other) noexcept : length_(other.length_) {}
    sleep_awaiter& operator=(sleep_awaiter&&) = delete;
    ~sleep_awaiter() override = default;

    bool await_ready() { return refused("sleep_for"); }
    void await_suspend(std::coroutine_handle<> at) {
        length_ > duration::zero() ? sleep(at) : yield(at);
    }
    void await_resume() const { throw_if_refused(); }

private:
    void sleep(std::coroutine_handle<> at);
    void expired() noexcept override { resume(); }
    void cancel() noexcept override {
        disarm();
        resume_cancelled();
    }
    const char* what() const noexcept override { return "sleep_for"; }

    duration length_;
};

} // namespace heddle::detail

namespace heddle::aio {

/// Awaits that `d` passes; the loop runs other tasks meanwhile. `d` counts from the `co_await`.
///
/// Zero or less lets all other tasks that are ready run once. Never shorter than `d`; ends early,
/// with `cancelled_error`, when the coroutine is cancelled. Throws `invalid_state_error` outside a
/// loop. Cost: one heap operation, no allocation. Used on the loop's thread.
///
/// Example:
///     co_await heddle::aio::sleep_for(100ms);
template <class Rep, class Period>
[[nodiscard("co_await it")]] detail::sleep_awaiter
sleep_for(std::chrono::duration<Rep, Period> d) noexcept {
    return detail::sleep_awaiter(detail::to_duration(d));
}

} // namespace heddle::aio
