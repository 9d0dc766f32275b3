/// `timeout`: a time limit that ends the work.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/aio/sleep.hpp>
#include <heddle/detail/nursery.hpp>

#include <chrono>
#include <utility>

namespace heddle::detail {

/// Cancels the children of a nursery after a time.
class time_limit final : public timer {
public:
    time_limit(nursery& of, duration limit);
    ~time_limit() override;
    bool passed() const noexcept { return passed_; }

private:
    void expired() noexcept override;

    nursery& of_;
    bool grace_; ///< no time at all: once more round the loop, so that the children begin
    bool passed_ = false;
};

/// Throws timeout_error naming the limit.
[[noreturn]] void throw_timeout(duration limit);

template <class T>
aio::task<T> with_limit(duration limit, aio::task<T> work) {
    child<T> worker(std::move(work));
    nursery of_one;
    const time_limit clock(of_one, limit);
    of_one.start(worker);
    co_await of_one.wait();
    if (clock.passed() && worker.cut()) throw_timeout(limit);
    co_return worker.take();
}

} // namespace heddle::detail

namespace heddle::aio {

/// Runs `work`, a task or anything else to await, for at most `limit`; gives its value, or throws
/// what it throws.
///
/// When the time is up, `work` is cancelled, and when it has ended, `timeout_error` is thrown: it
/// never goes on in the background. If it ends with a value or another exception in spite of that,
/// those count. A limit of zero or less lets it run to its first wait. Cancelled from outside, it
/// throws `cancelled_error`, so the two are told apart. Throws `invalid_state_error` if `work` is
/// empty. Cost: a frame, a job and a timer, about 100 ns.
///
/// Example:
///     try {
///         page = co_await heddle::aio::timeout(5s, fetch(url));
///     } catch (const heddle::timeout_error&) {
///         page = "too slow";
///     }
template <class Rep, class Period, awaitable A>
task<detail::awaited_t<A>> timeout(std::chrono::duration<Rep, Period> limit, A work) {
    return detail::with_limit(detail::to_duration(limit), detail::as_task(std::move(work)));
}

} // namespace heddle::aio
