/// `spawn` and `shield`: tasks that belong to the loop rather than to who started them.
#pragma once

#include <heddle/aio/awaitable.hpp>
#include <heddle/aio/future.hpp>
#include <heddle/aio/task.hpp>
#include <heddle/detail/atomic.hpp>
#include <heddle/detail/nursery.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace heddle::detail {

/// A job owned by the loop until it has ended, and by its handle.
class spawned_base : public job {
public:
    /// Cancels it, from any thread.
    void request_cancel() noexcept;
    /// The handle (or the loop) needs it no more.
    void let_go() noexcept;
    /// One more handle.
    void hold() noexcept {
        // relaxed: whoever copies a handle keeps the job alive meanwhile.
        holders_.fetch_add(1, std::memory_order_relaxed);
    }

protected:
    explicit spawned_base(promise_base* root) : job(root), box_(this_mailbox()) {}
    ~spawned_base() override = default;
    void leave_loop() noexcept {
        ended_ = true;
        let_go();
    }

private:
    struct cancel_mail;

    /// Protocol: counts the loop, the handles and requests on their way; whoever takes it to zero
    /// destroys the job.
    atomic<int> holders_{2};
    bool ended_ = false; ///< the loop's thread only
    std::shared_ptr<mailbox> box_;
};

template <class T>
class spawned final : public owning<spawned_base, T> {
public:
    spawned(aio::task<T>&& work, plain_state<T>& result)
        : owning<spawned_base, T>(std::move(work)), result_(result) {}

private:
    void done() noexcept override {
        if (this->cut()) {
            this->drop();
            result_.cancel(true);
            result_.drop_owner();
        } else {
            result_.start();
            const phase end = move_result();
            this->drop();
            result_.finish(end, true);
        }
        this->leave_loop(); // it MAY DIE
    }
    phase move_result() noexcept {
        try {
            result_.emplace_from([this]() -> T { return this->take(); });
            return phase::value;
        } catch (...) {
            result_.set_failure(std::current_exception());
            return phase::failed;
        }
    }

    plain_state<T>& result_;
};

/// The wait for a spawned task; leaves it alone when the waiter is cancelled.
template <class T, bool Consumes>
class handle_awaiter final : public future_wait {
    using held = std::conditional_t<Consumes, future<T>, const future<T>>;

public:
    explicit handle_awaiter(held& f) noexcept : future_wait(f.task()), f_(f) {}
    decltype(auto) await_resume() const {
        throw_if_refused();
        if (f_.cancelled()) throw cancelled_error("the spawned task was cancelled");
        if constexpr (Consumes) return std::move(f_).result();
        else return f_.result();
    }

private:
    held& f_;
};

} // namespace heddle::detail

namespace heddle::aio {

/// A task that was spawned: cancel it, or await its result. Copies refer to the same task.
///
/// Dropping the handles does not stop the task. A failure that nobody awaited goes to the failure
/// handler when handles and task are gone.
///
/// Thread safety: `cancel` and `done` from any thread, the rest on the loop's. Lifetime: may
/// outlive the task and the loop.
template <class T>
class handle {
public:
    handle(const handle& other) noexcept : job_(other.job_), result_(other.result_) {
        if (job_) job_->hold();
    }
    handle(handle&& other) noexcept
        : job_(std::exchange(other.job_, nullptr)), result_(std::move(other.result_)) {}
    handle& operator=(handle other) noexcept {
        std::swap(job_, other.job_);
        std::swap(result_, other.result_);
        return *this;
    }
    ~handle() {
        if (job_) job_->let_go();
    }

    /// Asks the task to end: it gets `cancelled_error` where it waits, and at every later wait. If
    /// it has not begun, it never will. Does not wait for its end. Does nothing if it has ended.
    void cancel() const noexcept {
        if (job_) job_->request_cancel();
    }
    /// Tells whether the task has ended. Throws `invalid_state_error` if moved from.
    bool done() const { return result_.done(); }

    /// Awaits the end; gives the value (by reference for a named handle, which may be awaited
    /// again) or throws what the task threw, `cancelled_error` if it was cancelled. When the
    /// awaiting coroutine is cancelled, the task goes on.
    detail::handle_awaiter<T, false> operator co_await() const& noexcept {
        return detail::handle_awaiter<T, false>(result_);
    }
    detail::handle_awaiter<T, true> operator co_await() && noexcept {
        return detail::handle_awaiter<T, true>(result_);
    }

    /// For Heddle's own parts.
    handle(detail::spawned_base& job, future<T> result) noexcept
        : job_(&job), result_(std::move(result)) {}

    /// For Heddle's own parts: where a failure that is never looked at says that it comes from.
    void made_at(const void* address) noexcept { result_.task()->set_address(address); }

private:
    detail::spawned_base* job_;
    future<T> result_;
};

} // namespace heddle::aio

namespace heddle::detail {

template <class T>
aio::handle<T> spawn_task(aio::task<T>&& work) {
    auto* result = plain_state<T>::make(1, true);
    future<T> kept(result);
    if (work.valid()) result->set_address(static_cast<const char*>(code_of(work.frame())) + 1);
    spawned<T>* started = nullptr;
    try {
        started = new spawned<T>(std::move(work), *result);
    } catch (...) {
        result->cancel(true);
        result->drop_owner();
        throw;
    }
    started->start(loop_jobs());
    return aio::handle<T>(*started, std::move(kept));
}

} // namespace heddle::detail

namespace heddle::aio {

/// Starts `work`, a task or anything else to await, at the loop's next turn, and returns a handle
/// to it. The loop owns it: it runs whether or not the handle is kept, and `run` cancels it when
/// the main task ends.
///
/// Throws `invalid_state_error` outside a loop or if `work` is empty, and `std::bad_alloc`; nothing
/// was started then. Cost: two allocations, about 100 ns.
///
/// Example:
///     auto beat = heddle::aio::spawn(heartbeat());
///     co_await talk();
///     beat.cancel();
template <awaitable A>
[[gnu::noinline]] handle<detail::awaited_t<A>> spawn(A work) {
    (void)detail::this_job("spawn");
    auto handle = detail::spawn_task(detail::as_task(detail::keep(std::move(work))));
    handle.made_at(__builtin_return_address(0));
    return handle;
}

/// Runs `work` so that cancelling who awaits it does not touch it: the waiter gets its
/// `cancelled_error` at once, and the work goes on, owned by the loop. In a coroutine that is
/// cancelled already the work is started all the same, which makes it fit for cleaning up; but
/// `run` cancels it, as all that is left, when its own task has ended.
///
/// Gives the value of `work`, or throws what it throws; a failure after the waiter has gone goes to
/// the failure handler.
///
/// Example:
///     co_await heddle::aio::shield(commit(transaction));
template <awaitable A>
task<detail::awaited_t<A>> shield(A work) {
    co_return co_await spawn(std::move(work));
}

} // namespace heddle::aio
