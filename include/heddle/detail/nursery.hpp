/// Jobs whose end their parent awaits: what gather, timeout and task groups are made of.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/job.hpp>
#include <heddle/error.hpp>
#include <heddle/outcome.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace heddle::detail {

/// A job that runs one task, without the type of its result.
class task_job : public job {
public:
    /// Its exception (cancelled_error if it was skipped), or null. Once it has ended.
    std::exception_ptr failure() const noexcept;
    /// It was cancelled, and ended for that reason.
    bool cut() const noexcept;

protected:
    /// Takes charge of `work`. Throws invalid_state_error if it is empty or was awaited.
    template <class T>
    explicit task_job(const aio::task<T>& work)
        : promise_(work.valid() ? promise_of(work) : nullptr) {
        if (!promise_) throw_task_used();
        promise_->claim();
        promise_->go_on_with(*this);
    }
    ~task_job() override = default;

private:
    template <class T>
    static promise_base* promise_of(const aio::task<T>& work) noexcept {
        return &work.frame().promise();
    }
    promise_base* promise_;
};

/// The value of an ended job's task, or its exception thrown. Once.
template <class T>
T take_from(const task_job& ended, const aio::task<T>& work) {
    if (ended.skipped()) throw_skipped();
    return work.frame().promise().take();
}
template <class T>
outcome<T> outcome_from(const task_job& ended, const aio::task<T>& work) {
    if (std::exception_ptr why = ended.failure()) return outcome<T>(std::move(why));
    if constexpr (std::is_void_v<T>) return {};
    else return outcome<T>(work.frame().promise().take());
}

class nursery;

/// A job of a nursery.
class child_base : public task_job {
protected:
    using task_job::task_job;
    ~child_base() override = default;

private:
    friend class nursery;
    void done() noexcept override;
    /// The nursery needs it no more; a child that owns itself goes here.
    virtual void let_go() noexcept {}

    nursery* in_ = nullptr;
    child_base* next_ = nullptr;
    child_base* previous_ = nullptr;
};

/// A child and its task, in the frame of whoever waits for it.
template <class T>
class child final : public child_base {
public:
    explicit child(aio::task<T>&& work) : child_base(work), work_(std::move(work)) {}

    std::coroutine_handle<> root() const noexcept { return work_.frame(); }
    T take() { return take_from(*this, work_); }
    outcome<T> take_outcome() { return outcome_from(*this, work_); }

private:
    aio::task<T> work_;
};

/// What happens to the others when a child fails: they are cancelled, or go on.
enum class on_failure { cancel_the_others, go_on };

/// A set of children and the parent's wait for them.
///
/// The parent cannot leave before they have ended: cancelled while it waits, it cancels them and
/// waits on. Of several failures the first is thrown in the parent, the others go to the failure
/// handler.
///
/// Lifetime: in the frame of the parent's coroutine; must be empty when it is destroyed.
class nursery final : public leaf {
public:
    explicit nursery(on_failure policy = on_failure::cancel_the_others);
    ~nursery();

    /// Queues `c`; in a nursery that is being cancelled it is cancelled at once.
    void start(child_base& c, std::coroutine_handle<> root) noexcept;
    template <class T>
    void start(child<T>& c) noexcept {
        start(c, c.root());
    }
    /// Cancels all children, those still to be started too.
    void cancel_all() noexcept;

    /// What `wait` gives; not the nursery itself, which g++ 12 would copy.
    struct waiting {
        bool await_ready() const noexcept { return of.ready(); }
        void await_suspend(std::coroutine_handle<> at) const noexcept { of.stop(at); }
        void await_resume() const { of.settle(); }
        nursery& of;
    };
    /// Awaits that at most `count` children are left, or that the nursery is being cancelled and
    /// all have ended. Throws the first failure; cancelled_error if the parent was cancelled and
    /// that cut a child short.
    waiting wait(std::size_t count = 0) noexcept {
        enough_ = count;
        return {*this};
    }

private:
    friend class child_base;
    bool ready() noexcept;
    void stop(std::coroutine_handle<> at) noexcept {
        waiting_ = true;
        suspend(at);
    }
    void settle();
    void cancel() noexcept override;
    const char* what() const noexcept override { return "its children"; }
    void ended(child_base& c) noexcept;
    bool enough() const noexcept { return running_ <= (cancelling_ ? 0 : enough_); }

    child_base* first_ = nullptr;
    std::size_t running_ = 0;
    std::size_t enough_ = 0;
    std::exception_ptr failure_;
    const on_failure policy_;
    bool waiting_ = false;
    bool cancelling_ = false;
    bool cut_ = false; ///< a child was cut short
};

template <class T>
using not_void = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// The value of an ended child; monostate for void.
template <class T>
not_void<T> value_of(child<T>& c) {
    if constexpr (std::is_void_v<T>) {
        c.take();
        return {};
    } else {
        return c.take();
    }
}

} // namespace heddle::detail
