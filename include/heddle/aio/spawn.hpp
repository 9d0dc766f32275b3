/// `spawn` and `shield`: tasks that belong to the loop rather than to who started them.
#pragma once

#include <heddle/aio/future.hpp>
#include <heddle/aio/task.hpp>
#include <heddle/detail/nursery.hpp>

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

namespace heddle::detail {

/// A job owned by the loop until it has ended, and by its handle.
class spawned_base : public task_job {
public:
    /// Cancels it, from any thread.
    void request_cancel() noexcept;
    /// The handle (or the loop) needs it no more.
    void let_go() noexcept;

protected:
    template <class T>
    explicit spawned_base(const aio::task<T>& work) : task_job(work), box_(this_mailbox()) {}
    ~spawned_base() override = default;
    void leave_loop() noexcept {
        ended_ = true;
        let_go();
    }

private:
    struct cancel_mail;

    /// Protocol: counts the loop, the handle and requests on their way; whoever takes it to zero
    /// destroys the job.
    std::atomic<int> holders_{2};
    bool ended_ = false; ///< the loop's thread only
    std::shared_ptr<mailbox> box_;
};

template <class T>
class spawned final : public spawned_base {
public:
    spawned(aio::task<T>&& work, plain_state<T>& result)
        : spawned_base(work), work_(std::move(work)), result_(result) {}
    std::coroutine_handle<> root() const noexcept { return work_.frame(); }

private:
    void done() noexcept override {
        if (cut()) {
            work_ = aio::task<T>(nullptr);
            result_.cancel(true);
            result_.drop_owner();
        } else {
            result_.start();
            const phase end = move_result();
            work_ = aio::task<T>(nullptr);
            result_.finish(end, true);
        }
        leave_loop(); // it MAY DIE
    }
    phase move_result() noexcept {
        try {
            result_.emplace_from([this]() -> T { return work_.frame().promise().take(); });
            return phase::value;
        } catch (...) {
            result_.set_failure(std::current_exception());
            return phase::failed;
        }
    }

    aio::task<T> work_;
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

/// A task that was spawned: cancel it, or await its result.
///
/// Dropping the handle does not stop the task. A failure that nobody awaited goes to the failure
/// handler when handle and task are both gone.
///
/// Thread safety: `cancel` and `done` from any thread, the rest on the loop's. Lifetime: may
/// outlive the task and the loop.
template <class T>
class handle {
public:
    handle(handle&& other) noexcept
        : job_(std::exchange(other.job_, nullptr)), result_(std::move(other.result_)) {}
    handle& operator=(handle&& other) noexcept {
        handle taken(std::move(other));
        std::swap(job_, taken.job_);
        std::swap(result_, taken.result_);
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

private:
    detail::spawned_base* job_;
    future<T> result_;
};

/// Starts `work` at the loop's next turn and returns a handle to it. The loop owns it: it runs
/// whether or not the handle is kept, and `run` cancels it when the main task ends.
///
/// Throws `invalid_state_error` outside a loop or if `work` is empty, and `std::bad_alloc`; nothing
/// was started then. Cost: two allocations, about 100 ns.
///
/// Example:
///     auto beat = heddle::aio::spawn(heartbeat());
///     co_await talk();
///     beat.cancel();
template <class T>
[[gnu::noinline]] handle<T> spawn(task<T> work) {
    (void)detail::this_job("spawn");
    auto* result = detail::plain_state<T>::make(1, true);
    future<T> kept(result);
    detail::spawned<T>* job = nullptr;
    try {
        job = new detail::spawned<T>(std::move(work), *result);
    } catch (...) {
        result->cancel(true);
        result->drop_owner();
        throw;
    }
    result->set_address(__builtin_return_address(0));
    job->start(job->root());
    return handle<T>(*job, std::move(kept));
}

/// Runs `work` so that cancelling who awaits it does not touch it: the waiter gets its
/// `cancelled_error` at once, and the work goes on, owned by the loop. In a coroutine that is
/// cancelled already the work is started all the same, which makes it fit for cleaning up.
///
/// Gives the value of `work`, or throws what it throws; a failure after the waiter has gone goes to
/// the failure handler.
///
/// Example:
///     co_await heddle::aio::shield(commit(transaction));
template <class T>
task<T> shield(task<T> work) {
    handle<T> started = spawn(std::move(work));
    co_return co_await std::move(started);
}

} // namespace heddle::aio
