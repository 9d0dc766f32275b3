/// Jobs whose end their parent awaits: what gather, timeout and task groups are made of.
#pragma once

#include <heddle/aio/task.hpp>
#include <heddle/detail/job.hpp>
#include <heddle/detail/slab.hpp>
#include <heddle/error.hpp>
#include <heddle/outcome.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace heddle::detail {

/// A job that owns the task that it runs: a `Base` with the type of the result.
///
/// Thread safety: one loop. Lifetime: owns the task's frame; must not die while it runs.
template <class Base, class T>
class owning : public Base {
public:
    /// Throws invalid_state_error, and leaves `work` alone, if it is empty or was awaited.
    template <class... Args>
    explicit owning(aio::task<T>&& work, Args&&... args)
        : Base(promise_of(work), std::forward<Args>(args)...) {
        (void)work.release();
    }
    ~owning() override { drop(); }

    /// The value of the ended task, or its exception thrown. Once.
    T take() {
        if (this->skipped()) throw_skipped();
        return promise().take();
    }
    outcome<T> take_outcome() {
        if (this->failed()) return outcome<T>(this->failure());
        if constexpr (std::is_void_v<T>) return {};
        else return outcome<T>(promise().take());
    }

    // Recycled as the frames are.
    static void* operator new(std::size_t size) {
        return slab_allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    }
    static void operator delete(void* memory, std::size_t size) noexcept {
        slab_free(memory, size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    }

protected:
    /// Destroys the frame early, once it has ended.
    void drop() noexcept {
        if (this->root()) frame().destroy();
        this->forget_root();
    }

private:
    static promise_base* promise_of(const aio::task<T>& work) noexcept {
        return work.valid() ? &work.frame().promise() : nullptr;
    }
    task_promise<T>& promise() const noexcept {
        return static_cast<task_promise<T>&>(*this->root());
    }
    std::coroutine_handle<task_promise<T>> frame() const noexcept {
        return std::coroutine_handle<task_promise<T>>::from_promise(promise());
    }
};

class nursery;

/// A job of a nursery.
class child_base : public job {
protected:
    explicit child_base(promise_base* root, std::uint32_t place = 0) : job(root), place_(place) {}
    ~child_base() override = default;
    nursery& in() const noexcept { return *in_; }
    std::uint32_t place() const noexcept { return place_; }

private:
    friend class nursery;
    void done() noexcept override;
    /// The nursery needs it no more; a child that owns itself goes here.
    virtual void let_go() noexcept {}

    std::uint32_t place_; ///< among its siblings, where that matters
    nursery* in_ = nullptr;
};

/// A child whose result somebody takes.
template <class T>
using child = owning<child_base, T>;

/// What happens to the others when a child fails: they are cancelled, or go on.
enum class on_failure { cancel_the_others, go_on };

/// A set of children and the parent's wait for them.
///
/// The parent cannot leave before they have ended: cancelled while it waits, it cancels them and
/// waits on. Of several failures the first is thrown in the parent, the others go to the failure
/// handler.
///
/// Lifetime: in the frame of the parent's coroutine; must be empty when it is destroyed.
class nursery : public leaf {
public:
    explicit nursery(on_failure policy = on_failure::cancel_the_others);
    virtual ~nursery(); // a gathering is one

    /// Queues `c`; in a nursery that is being cancelled it is cancelled at once.
    void start(child_base& c) noexcept;
    /// Cancels all children, those still to be started too.
    void cancel_all() noexcept;
    /// The parent will be thrown this, unless something else failed before; cancels all children.
    /// `of` is the coroutine that failed, if one did.
    void fail(std::exception_ptr why, std::coroutine_handle<> of = nullptr) noexcept;

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
    const job_list* children() const noexcept override { return &children_; }
    void ended(child_base& c) noexcept;
    void failed(const child_base& c) noexcept;
    bool enough() const noexcept { return running_ <= (cancelling_ ? 0 : enough_); }

    job_list children_;
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
