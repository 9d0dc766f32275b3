/// `aio::task<T>`: a coroutine that gives a T.
#pragma once

#include <heddle/detail/task_promise.hpp>

#include <coroutine>
#include <utility>

namespace heddle::aio {

/// A coroutine of the event loop; what Python's `async def` makes.
///
/// Lazy: nothing of it runs until it is awaited, or handed to `run`, `spawn`, `gather`, …. Once
/// only. A task that goes away without that is a mistake, of which the failure handler is told:
/// which coroutine, and where it was made. `T` may be `void`, a reference or move-only.
///
/// The parameters of a coroutine are kept in its frame: pass by value what it must own. A lambda's
/// captures are *not* kept: a lambda that is a coroutine should have none.
///
/// Example:
///     heddle::aio::task<int> twice(int x) {
///         co_await heddle::aio::sleep_for(1s);
///         co_return 2 * x;
///     }
///     int y = heddle::aio::run(twice(21));
///
/// Cost: one recycled frame of about 60 bytes and what the coroutine itself keeps; about 10 ns.
///
/// Thread safety: none; used on the thread of one loop. Lifetime: owns its frame.
template <class T = void>
class [[nodiscard("a task does nothing until it is awaited: co_await it, or spawn it")]] task {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        task taken(std::move(other));
        std::swap(frame_, taken.frame_);
        return *this;
    }
    ~task() {
        if (!frame_) return;
        frame_.promise().report_if_unused(frame_);
        frame_.destroy();
    }

    /// Tells whether there is a coroutine: false when moved from. Never throws.
    bool valid() const noexcept { return frame_ != nullptr; }

    /// Runs the task and gives its value, or throws what it throws.
    ///
    /// Throws `invalid_state_error` if the task was moved from or awaited before.
    detail::task_awaiter<T> operator co_await() const noexcept {
        return detail::task_awaiter<T>(frame_);
    }

    /// For Heddle's own parts.
    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    /// For Heddle's own parts: the coroutine.
    std::coroutine_handle<promise_type> frame() const noexcept { return frame_; }
    /// For Heddle's own parts: the coroutine, which the caller owns from now on.
    std::coroutine_handle<promise_type> release() noexcept {
        return std::exchange(frame_, nullptr);
    }

private:
    std::coroutine_handle<promise_type> frame_;
};

} // namespace heddle::aio

inline heddle::aio::task<void> heddle::detail::task_promise<void>::get_return_object() noexcept {
    link_ = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
    return aio::task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}
