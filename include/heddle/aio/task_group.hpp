/// `with_task_group`: start tasks as you go; none outlives the group.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/detail/nursery.hpp>

#include <concepts>
#include <functional>
#include <utility>

namespace heddle::detail {

/// A child that nobody keeps: it goes when it has ended.
template <class T>
class group_child final : public owning<child_base, T> {
public:
    using owning<child_base, T>::owning;

private:
    void let_go() noexcept override { delete this; }
};

} // namespace heddle::detail

namespace heddle::aio {

/// The tasks of one `with_task_group`.
///
/// Thread safety: none; used on the loop's thread. Lifetime: made by `with_task_group`; valid until
/// the body and all tasks of the group have ended.
class task_group {
public:
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;

    /// Starts `work`, a task or anything else to await, at the loop's next turn; its value, if any,
    /// is dropped. In a group that is being cancelled nothing of it runs. Throws
    /// `invalid_state_error` if `work` is empty, and `std::bad_alloc`; the group is unchanged then.
    template <awaitable A>
    void spawn(A work) {
        using child = detail::group_child<detail::awaited_t<A>>;
        children_.start(*new child(detail::as_task(detail::keep(std::move(work)))));
    }

    /// Cancels everything in the group, its body too; `with_task_group` then returns normally once
    /// all of it has ended. Does not suspend.
    void cancel() noexcept { children_.cancel_all(); }

    /// For Heddle's own parts.
    explicit task_group(detail::nursery& children) noexcept : children_(children) {}

private:
    detail::nursery& children_;
};

/// Awaits `body(group)`, and then every task that was spawned in the group.
///
/// `body` is a coroutine function taking `task_group&` and giving `task<void>`; its tasks may spawn
/// more. If the body or a task fails, everything else in the group is cancelled and awaited, and
/// the first failure is thrown; further ones go to the failure handler. What Python's `TaskGroup`
/// and trio's nursery are. Cancelled from outside, it cancels and awaits the group, then throws
/// `cancelled_error`. The callable is kept until the end, so here a lambda may have captures.
///
/// Example:
///     co_await heddle::aio::with_task_group([&](heddle::aio::task_group& g) -> task<void> {
///         for (auto& url : urls) g.spawn(fetch(url));
///         co_return;
///     });
template <class Body>
    requires std::same_as<std::invoke_result_t<Body&, task_group&>, task<void>>
task<void> with_task_group(Body body) {
    detail::nursery children;
    task_group group(children);
    detail::child<void> first(std::invoke(body, group));
    children.start(first);
    co_await children.wait();
}

} // namespace heddle::aio
