/// What can be awaited, and how it becomes a task.
#pragma once

#include <heddle/aio/task.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle::detail {

/// What `co_await` asks: the awaiter of an awaitable, which may be the awaitable itself.
template <class A>
decltype(auto) awaiter_of(A&& a) {
    if constexpr (requires { std::forward<A>(a).operator co_await(); }) {
        return std::forward<A>(a).operator co_await();
    } else if constexpr (requires { operator co_await(std::forward<A>(a)); }) {
        return operator co_await(std::forward<A>(a));
    } else {
        return std::forward<A>(a);
    }
}

template <class A>
concept has_awaiter = requires(A&& a, std::coroutine_handle<> h) {
    { awaiter_of(std::forward<A>(a)).await_ready() } -> std::convertible_to<bool>;
    awaiter_of(std::forward<A>(a)).await_suspend(h);
    awaiter_of(std::forward<A>(a)).await_resume();
};

/// What awaiting an A gives; never an rvalue reference. Nothing for what cannot be awaited: clang
/// looks at a function's result before it looks at its constraints.
template <class A>
struct awaited {};
template <has_awaiter A>
struct awaited<A> {
    using given = decltype(awaiter_of(std::declval<A>()).await_resume());
    using type =
        std::conditional_t<std::is_rvalue_reference_v<given>, std::remove_cvref_t<given>, given>;
};
template <class A>
using awaited_t = typename awaited<A>::type;

template <class T>
aio::task<T> as_task(aio::task<T>&& work) noexcept {
    return std::move(work);
}
/// A task that awaits `work` and nothing else.
template <class A>
aio::task<awaited_t<A>> as_task(A work) {
    co_return co_await std::move(work);
}

/// What outlives the expression that made it: an awaitable that refers to something says how to
/// take it in.
template <class A>
auto keep(A&& work) {
    if constexpr (requires { std::move(work).keep(); }) return std::move(work).keep();
    else return std::move(work);
}

template <class T>
std::vector<aio::task<T>> as_tasks(std::vector<aio::task<T>>&& work) noexcept {
    return std::move(work);
}
template <class A>
std::vector<aio::task<awaited_t<A>>> as_tasks(std::vector<A>&& work) {
    std::vector<aio::task<awaited_t<A>>> tasks;
    tasks.reserve(work.size());
    for (A& each : work) tasks.push_back(as_task(keep(std::move(each))));
    return tasks;
}

} // namespace heddle::detail

namespace heddle::aio {

/// Says that `co_await` of an `A` makes sense in a task: tasks, futures, handles of spawned tasks,
/// `sleep_for`, the waits of `aio::queue` and the other primitives, Asio's operations.
///
/// `gather`, `timeout`, `spawn`, `shield`, `as_completed` and task groups take any of these, and
/// await it in a task of its own.
template <class A>
concept awaitable = std::move_constructible<A> && detail::has_awaiter<A>;

} // namespace heddle::aio
