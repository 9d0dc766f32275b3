/// `to_thread` and `run_in_executor`: blocking calls and long computations beside the loop.
#pragma once

#include <heddle/aio/future.hpp>
#include <heddle/aio/task.hpp>
#include <heddle/thread_pool.hpp>

#include <utility>

namespace heddle::detail {

/// The pool behind `to_thread`: processors plus four threads, started at the first use.
thread_pool& pool_for_blocking_calls();

} // namespace heddle::detail

namespace heddle::aio {

/// Runs `f(args...)` on `executor` and gives its result; the loop runs other tasks meanwhile.
///
/// Lazy as every task: submitted when awaited. The arguments are copied or moved in now; pass
/// `std::ref` to share. Throws what `f` throws and what `submit` throws. When the awaiting
/// coroutine is cancelled it goes on at once; a call that has not started then never does, a
/// running one is asked to stop if it takes a `std::stop_token`, and its result is dropped. The
/// executor must outlive the task.
///
/// Example:
///     auto sum = co_await heddle::aio::run_in_executor(pool, checksum, std::move(data));
template <class Executor, class F, class... Args>
    requires detail::submittable<F, Args...>
task<detail::call_result_t<F, Args...>> run_in_executor(Executor& executor, F f, Args... args) {
    future<detail::call_result_t<F, Args...>> pending =
        executor.submit(std::move(f), std::move(args)...);
    co_return co_await std::move(pending);
}

/// The same on a pool of Heddle's own, meant for calls that block.
///
/// Example:
///     auto text = co_await heddle::aio::to_thread(read_file, path);
template <class F, class... Args>
    requires detail::submittable<F, Args...>
task<detail::call_result_t<F, Args...>> to_thread(F f, Args... args) {
    future<detail::call_result_t<F, Args...>> pending =
        detail::pool_for_blocking_calls().submit(std::move(f), std::move(args)...);
    co_return co_await std::move(pending);
}

} // namespace heddle::aio
