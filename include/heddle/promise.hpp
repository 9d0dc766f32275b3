/// `promise<T>`, the side that gives a result, and futures that have one from the start.
#pragma once

#include <heddle/future.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace heddle {

namespace detail {

[[noreturn]] void throw_promise_state(const task* t);
/// Starts setting, or throws invalid_state_error; returns the phase to go back to.
phase begin_setting(task* t);
/// Lets go of a promise's task; if it is not done, it fails with broken_executor_error.
void drop_promise(task& t) noexcept;
/// pending → running: true; cancelled: false; else throws invalid_state_error.
bool set_running(task* t);

/// Something to be called once, on a thread of its own.
struct detached_call {
    virtual ~detached_call() = default;
    virtual void run() noexcept = 0;
};
/// Throws std::system_error if no thread can be started; the call is destroyed then.
void start_detached(std::unique_ptr<detached_call> call);

/// Waits for a standard future and passes its result on.
template <class StdFuture, class T>
struct forwarding final : detached_call {
    forwarding(StdFuture&& f, promise<T>&& p) : from(std::move(f)), to(std::move(p)) {}
    void run() noexcept override {
        try {
            if constexpr (std::is_void_v<T>) {
                from.get();
                to.set_value();
            } else {
                to.set_value(from.get());
            }
        } catch (...) {
            try {
                to.set_exception(std::current_exception());
            } catch (const invalid_state_error&) {
                // Cancelled through the new handle meanwhile: nobody wants the result.
            }
        }
    }
    StdFuture from;
    promise<T> to;
};

} // namespace detail

/// Gives a `future<T>` its result, by hand: for code that is not a task of an executor.
///
/// Move-only. A promise that goes away unset fails its future with `broken_executor_error`.
///
/// Example:
///     heddle::promise<int> p;
///     heddle::future<int> f = p.get_future();
///     std::thread([p = std::move(p)]() mutable { p.set_value(42); }).detach();
///     assert(f.result() == 42);
///
/// Thread safety: `set_*` may race; exactly one of them wins, the others throw. Lifetime: the
/// future may outlive the promise.
template <class T>
class promise {
public:
    /// Makes a promise whose future is pending. One allocation. Throws std::bad_alloc.
    promise() : state_(detail::plain_state<T>::make(0, true)) {}
    promise(promise&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    promise& operator=(promise&& other) noexcept {
        promise taken(std::move(other));
        std::swap(state_, taken.state_);
        return *this;
    }
    ~promise() {
        if (state_) detail::drop_promise(*state_);
    }

    /// Returns a handle to the result; may be called many times. What a handle has moved out, as
    /// an rvalue, is gone for those that are made later.
    /// @throws invalid_state_error  the promise was moved from.
    [[nodiscard]] future<T> get_future() const {
        if (!state_) detail::throw_promise_state(nullptr);
        state_->add_handle();
        return future<T>(state_);
    }

    /// Sets the value and wakes everybody who waits; callbacks run here.
    /// @throws invalid_state_error  already set, cancelled, or moved from; the first result stands.
    /// What building the value throws leaves the promise unset.
    template <class U = T>
        requires(!std::is_void_v<T> && std::constructible_from<detail::stored_t<T>, U> &&
                 !std::is_reference_v<T>)
    void set_value(U&& value) {
        set([&]() -> T { return T(std::forward<U>(value)); });
    }
    template <class U = T>
        requires(std::is_reference_v<U> && std::is_same_v<U, T>)
    void set_value(std::type_identity_t<U> value) {
        set([&]() -> U { return static_cast<U>(value); });
    }
    void set_value()
        requires std::is_void_v<T>
    {
        set([] {});
    }
    /// Sets an exception. @throws std::invalid_argument  `failure` is null; nothing has changed.
    void set_exception(std::exception_ptr failure) {
        if (!failure) throw std::invalid_argument("promise::set_exception: the exception is null");
        detail::begin_setting(state_);
        state_->set_failure(std::move(failure));
        state_->finish(detail::phase::failed, false);
    }
    /// Marks the task as running, so that it can no longer be cancelled: true; false if it was
    /// cancelled already, and the work need not be done.
    /// @throws invalid_state_error  running or done already.
    bool set_running_or_notify_cancel() { return detail::set_running(state_); }

private:
    template <class Make>
    void set(Make make) {
        const detail::phase before = detail::begin_setting(state_);
        try {
            state_->emplace_from(make);
        } catch (...) {
            state_->undo_setting(before);
            throw;
        }
        state_->finish(detail::phase::value, false);
    }

    detail::plain_state<T>* state_;
};

/// Returns a future that is done, with `value`. One allocation. Throws std::bad_alloc and what
/// copying or moving the value throws.
template <class T>
[[nodiscard]] future<std::decay_t<T>> make_ready_future(T&& value) {
    using D = std::decay_t<T>;
    return future<D>(
        detail::plain_state<D>::make_ready([&]() -> D { return D(std::forward<T>(value)); }));
}
/// Returns a `future<void>` that is done.
[[nodiscard]] inline future<void> make_ready_future() {
    return future<void>(detail::plain_state<void>::make_ready([] {}));
}
/// Returns a future that has failed with `failure`.
/// @throws std::invalid_argument  `failure` is null.
template <class T>
[[nodiscard]] future<T> make_failed_future(std::exception_ptr failure) {
    if (!failure) throw std::invalid_argument("make_failed_future: the exception is null");
    return future<T>(detail::plain_state<T>::make_failed(std::move(failure)));
}

/// Turns a `std::future` (or `std::shared_future`) into a `heddle::future` of its result.
///
/// A standard future cannot tell when it is done, so a thread of its own waits for it, unless it
/// is done already. That thread is detached: it ends when the given future does.
/// @throws invalid_state_error  the given future is empty.
/// @throws std::system_error  no thread could be started; the given future has been waited for
/// by nobody.
template <class StdFuture>
    requires requires(StdFuture f) {
        f.get();
        f.wait();
        { f.valid() } -> std::same_as<bool>;
    }
[[nodiscard]] auto from_std(StdFuture given) {
    using T = detail::future_value_t<decltype(given.get())>;
    using value =
        std::conditional_t<std::is_reference_v<T> && std::is_const_v<std::remove_reference_t<T>>,
                           std::remove_cvref_t<T>,
                           T>;
    if (!given.valid()) throw invalid_state_error("from_std: the given future is empty");
    promise<value> p;
    future<value> made = p.get_future();
    auto call =
        std::make_unique<detail::forwarding<StdFuture, value>>(std::move(given), std::move(p));
    using status = decltype(call->from.wait_for(duration(0)));
    if (call->from.wait_for(duration(0)) == status{}) call->run(); // `ready` is the first value
    else detail::start_detached(std::move(call));
    return made;
}

} // namespace heddle
