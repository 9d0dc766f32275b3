/// `gather` and `gather_outcomes`: run tasks at the same time and get all results.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/nursery.hpp>
#include <heddle/outcome.hpp>

#include <cstddef>
#include <deque>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace heddle::aio {

/// How many tasks of a `gather` may run at the same time.
struct gather_options {
    std::size_t limit = 0; ///< 0: all of them
};

/// Runs the tasks at the same time; gives a tuple of their values, `std::monostate` for `void`.
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
template <class... T>
task<std::tuple<detail::not_void<T>...>> gather(task<T>... tasks) {
    std::tuple<detail::child<T>...> children(std::move(tasks)...);
    detail::nursery all;
    std::apply([&all](auto&... each) { (all.start(each), ...); }, children);
    co_await all.wait();
    co_return std::apply(
        [](auto&... each) { return std::tuple<detail::not_void<T>...>(detail::value_of(each)...); },
        children);
}

/// The same for a vector of tasks; gives a vector of their values in the same order. With a limit,
/// at most that many run at the same time.
template <class T>
task<std::vector<T>> gather(std::vector<task<T>> tasks, gather_options options = {}) {
    std::deque<detail::child<T>> children;
    for (task<T>& each : tasks) children.emplace_back(std::move(each));
    detail::nursery all;
    for (detail::child<T>& each : children) {
        all.start(each);
        if (options.limit != 0) co_await all.wait(options.limit - 1);
    }
    co_await all.wait();
    std::vector<T> values;
    values.reserve(children.size());
    for (detail::child<T>& each : children) values.push_back(each.take());
    co_return values;
}
/// The same for tasks without a value: gives nothing.
inline task<void> gather(std::vector<task<void>> tasks, gather_options options = {}) {
    std::deque<detail::child<void>> children;
    for (task<void>& each : tasks) children.emplace_back(std::move(each));
    detail::nursery all;
    for (detail::child<void>& each : children) {
        all.start(each);
        if (options.limit != 0) co_await all.wait(options.limit - 1);
    }
    co_await all.wait();
}

/// Runs the tasks at the same time; gives what became of each, in the same order. What Python's
/// `gather(return_exceptions=True)` does: a failure stops no other task and is not thrown.
///
/// Throws `cancelled_error` when the awaiting coroutine is cancelled, after the tasks, which are
/// then cancelled, have ended; and `invalid_state_error` as `gather`.
///
/// Example:
///     auto pages = co_await heddle::aio::gather_outcomes(std::move(fetches));
///     for (auto& page : pages) if (!page.has_value()) complain(page.exception());
template <class T>
task<std::vector<outcome<T>>> gather_outcomes(std::vector<task<T>> tasks,
                                              gather_options options = {}) {
    std::deque<detail::child<T>> children;
    for (task<T>& each : tasks) children.emplace_back(std::move(each));
    detail::nursery all(detail::on_failure::go_on);
    for (detail::child<T>& each : children) {
        all.start(each);
        if (options.limit != 0) co_await all.wait(options.limit - 1);
    }
    co_await all.wait();
    std::vector<outcome<T>> outcomes;
    outcomes.reserve(children.size());
    for (detail::child<T>& each : children) outcomes.push_back(each.take_outcome());
    co_return outcomes;
}

} // namespace heddle::aio
