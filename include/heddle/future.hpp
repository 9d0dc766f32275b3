/// `future<T>`, the one currency of the toolkit, and what makes and awaits futures.
#pragma once

#include <heddle/detail/callable.hpp>
#include <heddle/detail/continuation.hpp>
#include <heddle/detail/state.hpp>
#include <heddle/error.hpp>
#include <heddle/failure.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace heddle {

template <class T>
class promise;

/// A handle to the result of a task: what Python's `Future` is.
///
/// Copyable and 8 bytes wide; all copies mean the same result. Equality comparable and hashable,
/// so it can be a key. A default-constructed or moved-from handle has `valid() == false`, and
/// every other member then throws `invalid_state_error`.
///
/// A task ends in exactly one of: value, exception, cancelled, broken (an exception that derives
/// from `broken_executor_error`). If it fails and the last handle goes away without anyone having
/// looked (`result`, `outcome`, `exception`, `co_await`), the failure handler is told.
///
/// A wait inside a task of the same pool runs the awaited task right there if it has not started,
/// and else lets the pool start a spare worker: it never hangs. A cycle of waits throws
/// `would_deadlock_error` in the wait that closes it; the awaited task is unaffected.
///
/// Example:
///     heddle::thread_pool pool;
///     heddle::future<int> sum = pool.submit([](int a, int b) { return a + b; }, 2, 3);
///     assert(sum.result() == 5);
///
/// Thread safety: one result may be used from many threads through different handles; const
/// members of one handle may be called concurrently. Lifetime: keeps the result alive.
template <class T>
class future {
    using state_type = detail::state<T>;
    using lvalue_result =
        std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>>;

public:
    using value_type = T;

    /// Makes a handle to nothing.
    future() noexcept = default;
    future(const future& other) noexcept : state_(other.state_) {
        if (state_) state_->add_handle();
    }
    future(future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    future& operator=(future other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~future() {
        if (state_) state_->drop_handle();
    }

    /// Tells whether this handle has a result to wait for. Never blocks, never throws.
    bool valid() const noexcept { return state_ != nullptr; }

    /// Waits, then returns the result by reference; rethrows the task's own exception.
    ///
    /// May be called many times, from many threads; the reference lives as long as any handle.
    /// @throws cancelled_error  the task was cancelled.
    /// @throws would_deadlock_error  see the class; the task is unaffected.
    /// @throws invalid_state_error  this handle is empty.
    lvalue_result result() const& {
        get().wait(detail::deadline::never());
        return value_by_reference();
    }
    /// Waits, then returns the result by value: moved out if this is the only handle, copied
    /// otherwise. The handle is empty afterwards. Errors as above.
    /// @throws invalid_state_error  also if T cannot be copied and other handles (or callbacks
    /// that have not run) exist; nothing has changed then.
    T result() && {
        get().wait_alone();
        return take_value();
    }
    /// `result()` with a limit. A limit of zero or less tries once.
    /// @throws timeout_error  the task goes on, the handle stays as it is.
    template <class Rep, class Period>
    lvalue_result result_for(std::chrono::duration<Rep, Period> limit) const& {
        wait_or_throw(detail::deadline::after(limit));
        return value_by_reference();
    }
    template <class Rep, class Period>
    T result_for(std::chrono::duration<Rep, Period> limit) && {
        wait_or_throw(detail::deadline::after(limit));
        return take_value();
    }
    template <class Clock, class Duration>
    lvalue_result result_until(std::chrono::time_point<Clock, Duration> limit) const& {
        wait_or_throw(detail::deadline::at(limit));
        return value_by_reference();
    }
    template <class Clock, class Duration>
    T result_until(std::chrono::time_point<Clock, Duration> limit) && {
        wait_or_throw(detail::deadline::at(limit));
        return take_value();
    }

    /// Waits, then returns the value (copied, or its address for a reference) or the exception;
    /// `cancelled_error` if cancelled. Never throws the task's exception. Errors of the wait
    /// itself as in `result()`.
    heddle::outcome<T> outcome() const& {
        if (std::exception_ptr failure = exception()) return failure;
        if constexpr (std::is_void_v<T>) return {};
        else return value_by_reference();
    }
    /// The same, moved out if this is the only handle.
    heddle::outcome<T> outcome() && {
        if (std::exception_ptr failure = exception()) return failure;
        if constexpr (std::is_void_v<T>) return {};
        else return take_value();
    }

    /// Waits, then returns the exception, or null if there is a value; holds `cancelled_error` if
    /// the task was cancelled.
    std::exception_ptr exception() const {
        get().wait(detail::deadline::never());
        return detail::failure_of(*state_);
    }

    /// Waits until the task is done. Does not count as looking at a failure.
    void wait() const { get().wait(detail::deadline::never()); }
    /// Waits at most `limit`; true if the task is done. If both coincide, done wins.
    template <class Rep, class Period>
    bool wait_for(std::chrono::duration<Rep, Period> limit) const {
        return get().wait(detail::deadline::after(limit));
    }
    template <class Clock, class Duration>
    bool wait_until(std::chrono::time_point<Clock, Duration> limit) const {
        return get().wait(detail::deadline::at(limit));
    }

    /// Tells whether the task has ended, in whatever way. Never blocks; one load.
    bool done() const { return get().done(); }
    /// Tells whether the task has started and not ended.
    bool running() const {
        const detail::phase now = get().current();
        return now == detail::phase::running || now == detail::phase::setting;
    }
    /// Tells whether the task was cancelled before it started.
    bool cancelled() const { return get().current() == detail::phase::cancelled; }

    /// Cancels the task if it has not started; true if it is cancelled now (or was already).
    /// Its callable and arguments are destroyed, callbacks run, waiters wake.
    bool cancel() const { return get().cancel(); }
    /// Asks a task that takes a `std::stop_token` to stop; true if this call made the request.
    /// False if it takes none, is done, or was asked before.
    bool request_stop() const { return get().request_stop(); }

    /// Calls `f(future<T>)` once the task is done: on the thread that completes it, or here and
    /// now if it is done already. Callbacks run in the order in which they were added; what one
    /// throws goes to the failure handler and stops no other. One allocation.
    ///
    /// Of an rvalue, this and both `then` leave the handle itself to `f`, which can so take out a
    /// move-only result; this one is then empty, or as it was if they throw.
    template <class F>
        requires std::invocable<std::decay_t<F>&, future<T>>
    void add_done_callback(F&& f) const& {
        call_back(get(), false, std::forward<F>(f));
    }
    template <class F>
        requires std::invocable<std::decay_t<F>&, future<T>>
    void add_done_callback(F&& f) && {
        give([&](state_type& s) { call_back(s, true, std::forward<F>(f)); });
    }

    /// Returns the future of `f(future<T>)`, called by the thread that completes this task, or
    /// here and now if it is done. A chain of any length needs no more stack than a short one.
    template <class F>
        requires detail::submittable<F, future<T>>
    [[nodiscard]] auto then(F&& f) const& {
        return chain(get(), false, std::forward<F>(f));
    }
    template <class F>
        requires detail::submittable<F, future<T>>
    [[nodiscard]] auto then(F&& f) && {
        return give([&](state_type& s) { return chain(s, true, std::forward<F>(f)); });
    }
    /// The same, run by `executor`, which must outlive this task. If it no longer takes work
    /// when the time comes, the returned future is cancelled. Not by a process pool: a future
    /// cannot travel, submit its result there.
    template <class Executor, class F>
        requires detail::submittable<F, future<T>> && requires(Executor& e) { e.post([] {}); }
    [[nodiscard]] auto then(Executor& executor, F&& f) const& {
        return chain(get(), false, std::forward<F>(f), executor);
    }
    template <class Executor, class F>
        requires detail::submittable<F, future<T>> && requires(Executor& e) { e.post([] {}); }
    [[nodiscard]] auto then(Executor& executor, F&& f) && {
        return give([&](state_type& s) { return chain(s, true, std::forward<F>(f), executor); });
    }

    /// True if both are handles to the same result (or both are empty).
    friend bool operator==(const future&, const future&) noexcept = default;

    /// For Heddle's own parts: adopts one handle of `adopted`.
    explicit future(detail::state<T>* adopted) noexcept : state_(adopted) {}
    /// For Heddle's own parts: gives this handle away; the counterpart of adopting.
    detail::state<T>* release() noexcept { return std::exchange(state_, nullptr); }
    /// For Heddle's own parts: the task behind the handle, or null.
    detail::task* task() const noexcept { return state_; }

private:
    friend struct std::hash<future>;

    state_type& get() const {
        if (!state_) throw_empty();
        return *state_;
    }
    static future copy_of(state_type& s) noexcept {
        s.add_handle();
        return future(&s);
    }
    /// Leaves this handle to `use`, which drops it when nothing can fail any more.
    template <class Use>
    auto give(Use use) {
        state_type& mine = get();
        state_ = nullptr; // before: what `use` calls may destroy this object
        try {
            return use(mine);
        } catch (...) {
            state_ = &mine;
            throw;
        }
    }
    template <class F>
    static void call_back(state_type& s, bool last_use, F&& f) {
        detail::require_callable<std::decay_t<F>>(f, "add_done_callback");
        auto call = [f = std::forward<F>(f), self = copy_of(s)]() mutable { f(std::move(self)); };
        detail::add_callback(s, std::move(call), last_use);
    }
    template <class F, class... Executor>
    static auto chain(state_type& s, bool last_use, F&& f, Executor&... executor) {
        auto* next = detail::make_task("then", 1, std::forward<F>(f), copy_of(s));
        future<detail::call_result_t<F, future<T>>> made(next);
        detail::continue_with(s, *next, last_use, executor...);
        return made;
    }
    [[noreturn]] static void throw_empty() {
        throw invalid_state_error("the future is empty (default-constructed or moved from); only "
                                  "valid() and assignment are allowed");
    }
    void wait_or_throw(detail::deadline limit) const {
        if (!get().wait(limit)) throw timeout_error("the task is not done within the time limit");
    }
    lvalue_result value_by_reference() const {
        detail::rethrow_failure(*state_);
        if constexpr (std::is_reference_v<T>) return static_cast<T>(*state_->value());
        else if constexpr (!std::is_void_v<T>) return std::as_const(*state_).value();
    }
    T take_value() {
        if (state_->current() != detail::phase::value) {
            std::exception_ptr failure = detail::failure_of(*state_);
            *this = future();
            std::rethrow_exception(std::move(failure));
        }
        future self;
        if constexpr (std::is_void_v<T>) {
            *this = future();
        } else if constexpr (std::is_reference_v<T>) {
            self = std::move(*this);
            return static_cast<T>(*self.state_->value());
        } else if constexpr (std::is_copy_constructible_v<T>) {
            self = std::move(*this);
            if (self.state_->only_handle()) return std::move(self.state_->value());
            return std::as_const(*self.state_).value();
        } else {
            if (!state_->only_handle()) {
                throw invalid_state_error("the result cannot be copied and other handles to it "
                                          "exist; take it through the last handle, or by "
                                          "reference from an lvalue");
            }
            self = std::move(*this);
            return std::move(self.state_->value());
        }
    }

    state_type* state_ = nullptr;
};

} // namespace heddle

template <class T>
struct std::hash<heddle::future<T>> {
    std::size_t operator()(const heddle::future<T>& f) const noexcept {
        return std::hash<const void*>()(f.state_);
    }
};

#include <heddle/promise.hpp>
#include <heddle/wait.hpp>
