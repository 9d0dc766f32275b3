/// What happens when a task is done: callbacks and continuations, as hooks.
#pragma once

#include <heddle/detail/state.hpp>
#include <heddle/error.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace heddle::detail {

/// The exception of a done task (cancelled_error if cancelled), marked as seen; null for a value.
std::exception_ptr failure_of(task& done);
/// Throws it, if there is one.
inline void rethrow_failure(task& done) {
    if (done.current() == phase::value) return;
    std::rethrow_exception(failure_of(done));
}
/// Reports the current exception as a failure of a callback on `of`.
void report_callback_failure(const task& of) noexcept;

template <class F>
struct callback final : hook {
    explicit callback(F&& given) : hook{.fire = &run}, f(std::move(given)) {}
    static void run(hook& self, task& done) noexcept {
        std::unique_ptr<callback> owner(static_cast<callback*>(&self));
        try {
            owner->f();
        } catch (...) {
            report_callback_failure(done);
        }
    }
    F f;
};

/// Runs `f()` when `t` is done, or now. Strong guarantee: on std::bad_alloc nothing is added.
/// With `drop_handle` the caller's handle goes before `f` can run, which must hold another.
template <class F>
void add_callback(task& t, F f, bool drop_handle = false) {
    auto added = std::make_unique<callback<F>>(std::move(f));
    if (drop_handle) t.drop_handle();
    if (t.add_hook(*added)) added.release();
    else callback<F>::run(*added.release(), t);
}

/// Runs `next` (owned by the caller until now) when `t` is done, on the completing thread.
/// `drop_handle` as in add_callback(): `next` holds another handle.
void continue_with(task& t, task& next, bool drop_handle);

/// Holds a task that an executor was asked to run; if it is dropped unrun, the task is cancelled.
class posted_task {
public:
    explicit posted_task(task& t) noexcept : task_(&t) {}
    posted_task(posted_task&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    posted_task& operator=(posted_task&&) = delete;
    ~posted_task();
    /// Runs the task here, unless it was cancelled meanwhile.
    void operator()();

private:
    task* task_;
};

/// True for an executor whose tasks see none of this process's memory.
template <class Executor>
inline constexpr bool runs_elsewhere = false;

/// Posts `next` to `executor` when `t` is done. If `post` throws, `next` is cancelled.
template <class Executor>
void continue_with(task& t, task& next, bool drop_handle, Executor& executor) {
    constexpr bool here = !runs_elsewhere<Executor>;
    static_assert(here,
                  "heddle: then(executor, f) hands f this future, which cannot travel to "
                  "another process; submit its result instead: pool.submit(f, done.result()), "
                  "in a task of a thread_pool or a coroutine if nobody may wait here");
    if constexpr (here) { // so that one error is enough
        auto post = [&executor, next = posted_task(next)]() mutable {
            try {
                executor.post(std::move(next));
            } catch (const error&) {
                // The executor takes no more work. Dropping `next` has cancelled it, which whoever
                // waits for it will see.
            }
        };
        add_callback(t, std::move(post), drop_handle);
    }
}

} // namespace heddle::detail
