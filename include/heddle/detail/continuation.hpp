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
template <class F>
void add_callback(task& t, F f) {
    auto added = std::make_unique<callback<F>>(std::move(f));
    if (t.add_hook(*added)) added.release();
    else callback<F>::run(*added.release(), t);
}

/// Runs `next` (owned by the caller until now) when `t` is done, on the completing thread.
void continue_with(task& t, task& next);

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
void continue_with(task& t, task& next, Executor& executor) {
    add_callback(t, [&executor, next = posted_task(next)]() mutable {
        try {
            executor.post(std::move(next));
        } catch (const error&) {
            // The executor takes no more work. Dropping `next` has cancelled it, which whoever
            // waits for it will see.
        }
    });
}

} // namespace heddle::detail
