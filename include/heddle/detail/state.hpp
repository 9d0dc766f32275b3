/// The typed part of a task: where its result lives, and the closure that computes it.
#pragma once

#include <heddle/detail/slab.hpp>
#include <heddle/detail/task.hpp>

#include <cxxabi.h>

#include <functional>
#include <memory>
#include <new>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heddle::detail {

struct empty_result {};

/// What is stored for a result of type T: void as nothing, a reference as its address.
template <class T>
using stored_t =
    std::conditional_t<std::is_void_v<T>,
                       empty_result,
                       std::conditional_t<std::is_reference_v<T>,
                                          std::add_pointer_t<std::remove_reference_t<T>>,
                                          std::remove_cv_t<T>>>;

/// The type of future for a callable that returns R: an rvalue reference is stored by value.
template <class R>
using future_value_t =
    std::conditional_t<std::is_rvalue_reference_v<R>, std::remove_cvref_t<R>, std::remove_cv_t<R>>;

/// A task with room for a result of type T.
///
/// Exactly one member of the union lives: none until the task is done, then `value_` or
/// `failure_` as the phase says.
template <class T>
class state : public task {
public:
    state(const task::operations& ops, std::uint32_t handles, bool owned) noexcept
        : task(ops, handles, owned) {}
    state(const task::operations& ops, phase done) noexcept : task(ops, done) {}
    ~state() {} // the union's member is destroyed by destroy_result()

    const stored_t<T>& value() const noexcept { return value_; }
    stored_t<T>& value() noexcept { return value_; }
    const std::exception_ptr& failure() const noexcept { return failure_; }

    /// Builds the value in place from what `make` returns; nothing is moved.
    template <class Make>
    void emplace_from(Make&& make) {
        if constexpr (std::is_void_v<T>) {
            std::forward<Make>(make)();
            std::construct_at(&value_);
        } else if constexpr (std::is_reference_v<T>) {
            value_ = std::addressof(std::forward<Make>(make)());
        } else {
            ::new (static_cast<void*>(std::addressof(value_)))
                stored_t<T>(std::forward<Make>(make)());
        }
    }
    void set_failure(std::exception_ptr why) noexcept {
        std::construct_at(&failure_, std::move(why));
    }
    void destroy_result() noexcept {
        switch (this->current()) {
        case phase::value: std::destroy_at(std::addressof(value_)); break;
        case phase::failed: std::destroy_at(&failure_); break;
        default: break;
        }
    }

    static void drop_result_of(task& t) noexcept { static_cast<state&>(t).destroy_result(); }
    static void store_failure_of(task& t, std::exception_ptr why) noexcept {
        static_cast<state&>(t).set_failure(std::move(why));
    }
    static std::exception_ptr failure_of(const task& t) noexcept {
        return static_cast<const state&>(t).failure();
    }

private:
    union {
        stored_t<T> value_;
        std::exception_ptr failure_;
    };
};

/// A result without a callable: what a promise, or make_ready_future, fills.
template <class T>
class plain_state final : public state<T> {
public:
    static plain_state* make(std::uint32_t handles, bool owned) {
        void* memory = slab_allocate(sizeof(plain_state), alignof(plain_state));
        return ::new (memory) plain_state(table, handles, owned);
    }
    static plain_state* make_failed(std::exception_ptr why) {
        void* memory = slab_allocate(sizeof(plain_state), alignof(plain_state));
        auto* made = ::new (memory) plain_state(table, phase::failed);
        made->set_failure(std::move(why));
        return made;
    }
    template <class Make>
    static plain_state* make_ready(Make&& value) {
        void* memory = slab_allocate(sizeof(plain_state), alignof(plain_state));
        auto* made = ::new (memory) plain_state(table, phase::value);
        try {
            made->emplace_from(std::forward<Make>(value));
        } catch (...) {
            slab_free(memory, sizeof(plain_state), alignof(plain_state));
            throw;
        }
        return made;
    }

private:
    using state<T>::state;

    static void destroy(task& t) noexcept {
        auto& self = static_cast<plain_state&>(t);
        self.destroy_result();
        slab_free(&self, sizeof(plain_state), alignof(plain_state));
    }
    static void drop(task&) noexcept {}

    static constexpr task::operations table{nullptr,
                                            &drop,
                                            &state<T>::drop_result_of,
                                            &destroy,
                                            &state<T>::store_failure_of,
                                            &state<T>::failure_of,
                                            nullptr};
};

/// A broken_executor_error: the task's thread is being unwound by pthread_exit.
std::exception_ptr thread_exited_failure(const task& t) noexcept;

struct no_stop_source {};

/// A task made of a callable. `F` is called once, as an rvalue, then destroyed, before the task
/// is seen to be done: what the arguments held is released by then.
template <class T, class F, bool TakesStop>
class closure_task final : public state<T> {
public:
    template <class... Args>
    static closure_task* make(std::uint32_t handles, Args&&... args) {
        void* memory = slab_allocate(sizeof(closure_task), alignof(closure_task));
        try {
            return ::new (memory) closure_task(handles, std::forward<Args>(args)...);
        } catch (...) {
            slab_free(memory, sizeof(closure_task), alignof(closure_task));
            throw;
        }
    }

private:
    template <class... Args>
    explicit closure_task(std::uint32_t handles, Args&&... args) : state<T>(table, handles, true) {
        ::new (static_cast<void*>(std::addressof(closure_))) F(std::forward<Args>(args)...);
    }
    ~closure_task() {}

    static closure_task& from(task& t) noexcept { return static_cast<closure_task&>(t); }

    // A forced unwinding has no object, so the reference that catches it is null.
    __attribute__((no_sanitize("null"))) static phase run(task& t) {
        closure_task& self = from(t);
        phase end = phase::value;
        try {
            self.emplace_from([&]() -> decltype(auto) {
                if constexpr (TakesStop) return std::move(self.closure_)(self.stop_.get_token());
                else return std::move(self.closure_)();
            });
        }
#ifdef __GLIBCXX__
        catch (abi::__forced_unwind&) { // pthread_exit; must go on
            self.set_failure(thread_exited_failure(t));
            drop(t);
            throw;
        }
#endif
        catch (...) {
            end = phase::failed;
            self.set_failure(std::current_exception());
        }
        drop(t);
        return end;
    }
    static void drop(task& t) noexcept {
        std::destroy_at(
            std::addressof(from(t).closure_)); // `submittable` asks that it cannot throw
    }
    static void destroy(task& t) noexcept {
        closure_task& self = from(t);
        self.destroy_result();
        std::destroy_at(&self.stop_);
        slab_free(&self, sizeof(closure_task), alignof(closure_task));
    }
    static bool request_stop(task& t) noexcept {
        if constexpr (TakesStop) return from(t).stop_.request_stop();
        else return false;
    }

    static constexpr task::operations table{&run,
                                            &drop,
                                            &state<T>::drop_result_of,
                                            &destroy,
                                            &state<T>::store_failure_of,
                                            &state<T>::failure_of,
                                            TakesStop ? &request_stop : nullptr};

    using stop_type = std::conditional_t<TakesStop, std::stop_source, no_stop_source>;

    [[no_unique_address]] stop_type stop_; ///< lives as long as the task: request_stop() may come
                                           ///< from any handle at any time
    union {
        F closure_;
    };
};

/// The type in which an argument stored as A (a decayed type) arrives at the callable.
template <class A>
using arrives_t = std::
    conditional_t<std::is_same_v<std::unwrap_reference_t<A>, A>, A&&, std::unwrap_reference_t<A>>;

/// A callable and its arguments, copied or moved in now ("frozen"), called once as rvalues.
/// A `std::reference_wrapper` argument arrives as the reference.
template <class F, class... Args>
class bound {
public:
    template <class G, class... Given>
    explicit bound(std::in_place_t, G&& f, Given&&... given)
        : f_(std::forward<G>(f)), args_(std::forward<Given>(given)...) {}

    template <class... First>
    decltype(auto) operator()(First&&... first) && {
        return std::apply(
            [&](auto&... held) -> decltype(auto) {
                return std::invoke(
                    std::move(f_), std::forward<First>(first)..., unwrap<Args>(held)...);
            },
            args_);
    }

private:
    template <class A>
    static arrives_t<A> unwrap(A& held) noexcept {
        return static_cast<arrives_t<A>>(held);
    }

    [[no_unique_address]] F f_;
    [[no_unique_address]] std::tuple<Args...> args_;
};

} // namespace heddle::detail
