/// `co_await` for `heddle::future`: results of any executor, inside a coroutine.
#pragma once

#include <heddle/detail/job.hpp>
#include <heddle/future.hpp>

#include <coroutine>
#include <utility>

namespace heddle::detail {

/// The wait for a task of an executor: its completion, on whatever thread, is sent to the loop.
class future_wait : public leaf, private hook, private mail {
public:
    bool await_ready() { return refused("co_await future") || awaited().done(); }
    /// False if it is done already.
    bool await_suspend(std::coroutine_handle<> at) noexcept;

protected:
    explicit future_wait(task* t) noexcept : task_(t) {}
    ~future_wait() = default;

private:
    task& awaited() const;
    void cancel() noexcept override;
    const char* what() const noexcept override { return "a future"; }
    static void fired(hook& self, task& done) noexcept;
    static void arrived(mail& self) noexcept;

    task* task_;
    mailbox* box_ = nullptr;
};

/// Who held the last handle and is cancelled takes the work down with him.
template <class T>
void abandon(future<T>&& held) noexcept {
    if (!held.task()->only_handle()) return;
    if (!held.cancel()) held.request_stop();
}

template <class T>
class lvalue_future_awaiter final : public future_wait {
public:
    explicit lvalue_future_awaiter(const future<T>& f) noexcept : future_wait(f.task()), f_(f) {}
    decltype(auto) await_resume() const {
        throw_if_refused();
        return f_.result();
    }

private:
    const future<T>& f_;
};

template <class T>
class rvalue_future_awaiter final : public future_wait {
public:
    explicit rvalue_future_awaiter(future<T>&& f) noexcept
        : future_wait(f.task()), f_(std::move(f)) {}
    T await_resume() {
        if (was_refused()) {
            if (f_.valid()) abandon(std::move(f_));
            throw_cancelled();
        }
        return std::move(f_).result();
    }

private:
    future<T>&& f_;
};

} // namespace heddle::detail

namespace heddle {

/// Awaits the result in an `aio::task`, on whose loop the coroutine goes on.
///
/// Gives and throws what `result()` does: `const T&` for a named future, which must stay as it is
/// meanwhile, `T` for a temporary or moved one. A coroutine that is cancelled while it waits gets
/// `cancelled_error` at once; the awaited task goes on, unless this was a temporary and the last
/// handle: then it is cancelled, or, if it runs, asked to stop. Throws `invalid_state_error`
/// outside a loop and for an empty future. Cost: as a callback, without an allocation.
///
/// Example:
///     int n = co_await pool.submit(count, text);
template <class T>
detail::lvalue_future_awaiter<T> operator co_await(const future<T>& f) noexcept {
    return detail::lvalue_future_awaiter<T>(f);
}
template <class T>
detail::rvalue_future_awaiter<T> operator co_await(future<T>&& f) noexcept {
    return detail::rvalue_future_awaiter<T>(std::move(f));
}

} // namespace heddle
