/// What a coroutine of type `aio::task` carries with it.
#pragma once

#include <heddle/detail/job.hpp>
#include <heddle/detail/slab.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace heddle::aio {
template <class T>
class task;
}

namespace heddle::detail {

/// The code that resumes a coroutine; by it a coroutine is known when it has gone.
const void* code_of(std::coroutine_handle<> h) noexcept;
/// Tells the failure handler of a task that was made and thrown away.
void report_never_awaited(std::coroutine_handle<> h, const void* made_at) noexcept;
/// Tells it of a failure that nobody else will hear of; `of` names what failed, which was the
/// coroutine `h` if that is not null.
void report_lost(const std::exception_ptr& failure,
                 const char* of,
                 std::coroutine_handle<> h = nullptr) noexcept;
/// True if it is a cancelled_error.
bool is_cancellation(const std::exception_ptr& failure) noexcept;
/// Throws invalid_state_error: this task is empty, or was awaited before.
[[noreturn]] void throw_task_used();
/// Throws cancelled_error: nothing of the coroutine has run.
[[noreturn]] void throw_skipped();

/// The part of the promise that does not depend on the result.
class promise_base {
public:
    // Frames are recycled: a loop makes and frees them by the thousand.
    static void* operator new(std::size_t size) {
        return slab_allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    }
    static void operator delete(void* frame, std::size_t size) noexcept {
        slab_free(frame, size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    }

    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// Goes on with whoever awaits: a coroutine, or a job whose root this is.
    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> h) const noexcept {
            // The frame MAY DIE in these calls, and this awaiter with it.
            const std::uintptr_t to = h.promise().link_;
            if (to & job_tag) {
                reinterpret_cast<job*>(to & ~job_tag)->end();
            } else if (to) {
                resume_nested(std::coroutine_handle<>::from_address(reinterpret_cast<void*>(to)));
            }
        }
        void await_resume() const noexcept {}
    };
    final_awaiter final_suspend() const noexcept { return {}; }

    void unhandled_exception() noexcept {
        failure_ = std::current_exception();
        state_ = state::failed;
    }

    bool ended() const noexcept { return state_ >= state::value; }
    const std::exception_ptr& failure() const noexcept { return failure_; }

    /// Somebody takes charge of running it; throws if that happened before.
    void claim() {
        if (state_ != state::made) throw_task_used();
        state_ = state::running;
        link_ = 0;
    }
    void go_on_with(std::coroutine_handle<> next) noexcept {
        link_ = reinterpret_cast<std::uintptr_t>(next.address());
    }
    void go_on_with(job& owner) noexcept {
        link_ = reinterpret_cast<std::uintptr_t>(&owner) | job_tag;
    }
    /// Before its frame is destroyed: was it ever awaited?
    void report_if_unused(std::coroutine_handle<> h) const noexcept {
        if (state_ == state::made && std::uncaught_exceptions() == 0) {
            report_never_awaited(h, reinterpret_cast<const void*>(link_));
        }
    }

protected:
    enum class state : unsigned char { made, running, value, failed };
    static constexpr std::uintptr_t job_tag = 1;

    std::uintptr_t link_ = 0; ///< while `made`, the code address of its maker; then who goes on
    std::exception_ptr failure_;
    state state_ = state::made;
};

inline job::job(promise_base* root) : root_(root) {
    if (!root_) throw_task_used();
    root_->claim();
    root_->go_on_with(*this);
}
inline bool job::failed() const noexcept {
    return skipped_ || root_->failure();
}

template <class T>
class task_promise final : public promise_base {
    static_assert(std::is_reference_v<T> || alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "aio::task: T is over-aligned, which frames of coroutines are not; give a "
                  "std::unique_ptr to it");
    using stored = std::conditional_t<std::is_reference_v<T>,
                                      std::add_pointer_t<std::remove_reference_t<T>>,
                                      std::remove_cv_t<T>>;

public:
    task_promise() noexcept {} // the union's member lives only once there is a value
    task_promise(const task_promise&) = delete;
    task_promise& operator=(const task_promise&) = delete;
    ~task_promise() {
        if (state_ == state::value) std::destroy_at(std::addressof(value_));
    }

    // Inlined into the coroutine's own first part, whose return address is in its caller.
    [[gnu::always_inline]] inline aio::task<T> get_return_object() noexcept {
        link_ = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
        return aio::task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
    }

    template <class U = T>
        requires std::is_convertible_v<U&&, T>
    void return_value(U&& value) {
        if constexpr (std::is_reference_v<T>) {
            T bound = std::forward<U>(value);
            ::new (static_cast<void*>(std::addressof(value_))) stored(std::addressof(bound));
        } else {
            ::new (static_cast<void*>(std::addressof(value_))) stored(std::forward<U>(value));
        }
        state_ = state::value;
    }

    /// The value, moved out, or the exception thrown. Once, after it has ended.
    T take() {
        if (failure_) std::rethrow_exception(std::move(failure_));
        if constexpr (std::is_reference_v<T>) return static_cast<T>(*value_);
        else return std::move(value_);
    }

private:
    union {
        stored value_;
    };
};

template <>
class task_promise<void> final : public promise_base {
public:
    [[gnu::always_inline]] inline aio::task<void> get_return_object() noexcept;
    void return_void() noexcept { state_ = state::value; }
    void take() {
        if (failure_) std::rethrow_exception(std::move(failure_));
    }
};

/// What `co_await task` does: runs the task here and now, and suspends only if it does.
template <class T>
class task_awaiter {
public:
    explicit task_awaiter(std::coroutine_handle<task_promise<T>> h) noexcept : task_(h) {}

    bool await_ready() const {
        if (!task_) throw_task_used();
        task_.promise().claim();
        return false;
    }
    bool await_suspend(std::coroutine_handle<> parent) const {
        loop_here& here = this_loop;
        if (here.depth >= deepest_resume) {
            task_.promise().go_on_with(parent);
            resume_from_loop(task_);
            return true;
        }
        // While the child runs for the first time it has nobody to go on with, so if it ends at
        // once it returns here, and a loop of such children needs no more stack than one.
        ++here.depth;
        task_.resume();
        --here.depth;
        if (task_.promise().ended()) return false;
        task_.promise().go_on_with(parent);
        return true;
    }
    T await_resume() const { return task_.promise().take(); }

private:
    std::coroutine_handle<task_promise<T>> task_;
};

} // namespace heddle::detail
