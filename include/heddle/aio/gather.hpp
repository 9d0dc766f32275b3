/// `gather` and `gather_outcomes`: run tasks at the same time and get all results.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/detail/gathering.hpp>
#include <heddle/detail/nursery.hpp>

#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace heddle::aio {

/// How many tasks of a `gather` may run at the same time.
struct gather_options {
    std::size_t limit = 0; ///< 0: all of them
};

/// Runs tasks, or other things to await, at the same time; gives a tuple of their values,
/// `std::monostate` for `void`.
///
/// They start in the order given, at the loop's next turn. If one fails, the others are cancelled
/// and awaited, and its exception is thrown; what else fails goes to the failure handler. When the
/// awaiting coroutine is cancelled, so are they, and they have ended when `cancelled_error` is
/// thrown. Throws `invalid_state_error`, before anything ran, if a task is empty. Cost: about 50 ns
/// a task.
///
/// Example:
///     auto both = co_await heddle::aio::gather(fetch("a"), fetch("b"));
///     use(std::get<0>(both), std::get<1>(both));
template <awaitable... A>
task<std::tuple<detail::not_void<detail::awaited_t<A>>...>> gather(A... work) {
    std::tuple<detail::child<detail::awaited_t<A>>...> children(
        detail::as_task(std::move(work))...);
    detail::nursery all;
    std::apply([&all](auto&... each) { (all.start(each), ...); }, children);
    co_await all.wait();
    co_return std::apply(
        [](auto&... each) {
            return std::tuple<detail::not_void<detail::awaited_t<A>>...>(detail::value_of(each)...);
        },
        children);
}

/// The same for a vector; gives a vector of the values in the same order, nothing for tasks without
/// a value. With a limit, at most that many run at the same time.
///
/// Example:
///     auto pages = co_await heddle::aio::gather(std::move(fetches), {.limit = 10});
template <awaitable A>
auto gather(std::vector<A> work, gather_options options = {}) {
    return detail::gather_values(detail::as_tasks(std::move(work)), options.limit);
}
/// The same; empties the vector, since a task runs once.
template <class T>
auto gather(std::vector<task<T>>& work, gather_options options = {}) {
    return detail::gather_values(std::exchange(work, {}), options.limit);
}

/// Runs tasks, or other things to await, at the same time; gives what became of each, in the same
/// order. What Python's `gather(return_exceptions=True)` does: a failure stops no other task and is
/// not thrown.
///
/// Throws `cancelled_error` when the awaiting coroutine is cancelled, after the tasks, which are
/// then cancelled, have ended; and `invalid_state_error` as `gather`.
///
/// Example:
///     auto pages = co_await heddle::aio::gather_outcomes(std::move(fetches));
///     for (auto& page : pages) if (!page.has_value()) complain(page.exception());
template <awaitable A>
auto gather_outcomes(std::vector<A> work, gather_options options = {}) {
    return detail::gather_outcomes(detail::as_tasks(std::move(work)), options.limit);
}
/// The same; empties the vector, since a task runs once.
template <class T>
auto gather_outcomes(std::vector<task<T>>& work, gather_options options = {}) {
    return detail::gather_outcomes(std::exchange(work, {}), options.limit);
}

} // namespace heddle::aio
