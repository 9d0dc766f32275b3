/// `join`: fork-join parallelism without allocation, for divide-and-conquer.
#pragma once

#include <heddle/thread_pool.hpp>

#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

namespace heddle {

namespace detail {

/// Makes a task on the caller's stack stealable, if the caller is a worker of `of`; false if not.
bool fork(pool& of, task& t);
/// Takes it back; false if a thief has it, which must then be waited for.
bool unfork(pool& of, task& t) noexcept;

/// The second half of a join, on the stack of the first.
template <class R, class G>
class stack_task final : public state<R> {
public:
    explicit stack_task(G& g) noexcept : state<R>(table, 1, true), g_(g) {}

    /// Waits for the thief, then gives what it found. The task may then go.
    R take_stolen() {
        this->wait(deadline::never());
        this->await_release();
        if (this->current() == phase::failed) {
            std::exception_ptr failure = this->failure();
            this->destroy_result();
            std::rethrow_exception(std::move(failure));
        }
        struct clean_up {
            stack_task& of;
            ~clean_up() { of.destroy_result(); }
        } guard{*this};
        if constexpr (std::is_reference_v<R>) return static_cast<R>(*this->value());
        else if constexpr (!std::is_void_v<R>) return std::move(this->value());
    }

private:
    __attribute__((no_sanitize("null"))) static phase run(task& t) { // as closure_task::run
        auto& self = static_cast<stack_task&>(t);
        try {
            self.emplace_from([&]() -> R { return std::invoke(self.g_); });
            return phase::value;
        }
#ifdef __GLIBCXX__
        catch (abi::__forced_unwind&) { // pthread_exit; must go on
            self.set_failure(thread_exited_failure(t));
            throw;
        }
#endif
        catch (...) {
            self.set_failure(std::current_exception());
            return phase::failed;
        }
    }
    static void nothing(task&) noexcept {}

    static constexpr task::operations table{&run,
                                            &nothing,
                                            &nothing,
                                            &nothing,
                                            &state<R>::store_failure_of,
                                            &state<R>::failure_of,
                                            nullptr};

    G& g_;
};

template <class R>
using joined_t = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class F>
joined_t<std::invoke_result_t<F&>> call_joined(F& f) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        std::invoke(f);
        return {};
    } else {
        return std::invoke(f);
    }
}

} // namespace detail

/// Runs `f()` and `g()`, at the same time if a worker is free, and returns both results.
///
/// The natural way to divide and conquer: `f` runs here, `g` waits where an idle worker can steal
/// it, and runs here too if none did. Nothing is allocated; both may refer to locals. Called from
/// a thread that is no worker of the pool, the whole join runs on one, and the caller waits.
///
/// @returns a `std::pair` of the results; `std::monostate` stands for void.
/// @throws what `f` throws, else what `g` throws, after both have ended; if both throw, the
/// failure of `g` goes to the failure handler.
/// @throws shutdown_error, broken_thread_pool_error, forked_error  from outside, as `submit`.
///
/// Cost: about 5 ns if nobody steals. Thread safety: callable from any thread.
///
/// Example:
///     long sum(heddle::thread_pool& pool, std::span<const long> part) {
///         if (part.size() < 1000) return std::accumulate(part.begin(), part.end(), 0L);
///         auto [left, right] = heddle::join(pool,
///             [&] { return sum(pool, part.first(part.size() / 2)); },
///             [&] { return sum(pool, part.subspan(part.size() / 2)); });
///         return left + right;
///     }
///
/// After Frigo, Leiserson and Randall, "The implementation of the Cilk-5 multithreaded language",
/// PLDI 1998, with child stealing.
template <class F, class G>
    requires std::invocable<F&> && std::invocable<G&>
auto join(thread_pool& pool, F&& f, G&& g)
    -> std::pair<detail::joined_t<std::invoke_result_t<F&>>,
                 detail::joined_t<std::invoke_result_t<G&>>> {
    using first = detail::joined_t<std::invoke_result_t<F&>>;
    using second = detail::joined_t<std::invoke_result_t<G&>>;
    auto half = [&g]() -> second { return detail::call_joined(g); };
    detail::stack_task<second, decltype(half)> other(half);
    detail::pool& engine = detail::engine_of(pool);
    if (!detail::fork(engine, other)) {
        return pool.submit([&] { return join(pool, f, g); }).result();
    }
    struct settle { // the task is on this stack: it must be back before we leave, in any way
        detail::pool& engine;
        detail::stack_task<second, decltype(half)>& other;
        bool settled = false;
        ~settle() {
            if (settled || detail::unfork(engine, other)) return;
            try {
                (void)other.take_stolen();
            } catch (...) {
                detail::report_post_failure(nullptr);
            }
        }
    } guard{engine, other};
    first here = detail::call_joined(f);
    guard.settled = true;
    if (detail::unfork(engine, other)) {
        return {std::forward<first>(here), half()};
    }
    return {std::forward<first>(here), other.take_stolen()};
}

} // namespace heddle
