/// How a callable given to an executor is inspected, without ever probing it in a way that fails
/// to compile inside the callable's own body.
#pragma once

#include <heddle/detail/require_callable.hpp>
#include <heddle/detail/state.hpp>

#include <functional>
#include <stop_token>
#include <type_traits>

namespace heddle {
struct task_options;
}

namespace heddle::detail {

template <class Signature>
struct first_parameter {
    using type = void;
};
template <class R, class A, class... More>
struct first_parameter<R(A, More...)> {
    using type = std::remove_cvref_t<A>;
};
template <class R, class A, class... More>
struct first_parameter<R(A, More...) noexcept> {
    using type = std::remove_cvref_t<A>;
};

template <class S>
struct strip_qualifiers {
    using type = S;
};
#define HEDDLE_STRIP(QUALIFIERS)                                                                   \
    template <class R, class... A>                                                                 \
    struct strip_qualifiers<R(A...) QUALIFIERS> {                                                  \
        using type = R(A...);                                                                      \
    };
HEDDLE_STRIP(const)
HEDDLE_STRIP(&)
HEDDLE_STRIP(const&)
HEDDLE_STRIP(&&)
HEDDLE_STRIP(noexcept)
HEDDLE_STRIP(const noexcept)
HEDDLE_STRIP(& noexcept)
HEDDLE_STRIP(const& noexcept)
HEDDLE_STRIP(&& noexcept)
#undef HEDDLE_STRIP

template <class C, class S>
std::type_identity<S> signature_of_member(S C::*);

/// True if F, looked at without calling it, declares std::stop_token as its first parameter.
template <class F>
consteval bool declares_stop_token() {
    if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
        using S = typename strip_qualifiers<std::remove_pointer_t<F>>::type;
        return std::is_same_v<typename first_parameter<S>::type, std::stop_token>;
    } else if constexpr (requires { &F::operator(); }) {
        using member = typename decltype(signature_of_member(&F::operator()))::type;
        using S = typename strip_qualifiers<member>::type;
        return std::is_same_v<typename first_parameter<S>::type, std::stop_token>;
    } else {
        return false;
    }
}

/// How a callable is called by an executor: with `Args` alone, or with a stop token before them.
/// `F` and `Args` are what reaches it in the end, value categories included.
///
/// A callable that declares a stop token gets one. One that does not say (a template) is tried
/// without first, and only if that does not fit with one, so no body is ever instantiated with a
/// stop token that it did not ask for.
template <class F, class... Args>
struct call_of {
    static constexpr bool declared = declares_stop_token<std::decay_t<F>>();

    static consteval bool plain() {
        if constexpr (declared) {
            if constexpr (std::is_invocable_v<F, std::stop_token, Args...>) return false;
            else return std::is_invocable_v<F, Args...>;
        } else {
            return std::is_invocable_v<F, Args...>;
        }
    }
    static constexpr bool is_plain = plain();

    static consteval bool with_stop() {
        if constexpr (is_plain) return false;
        else return std::is_invocable_v<F, std::stop_token, Args...>;
    }
    static constexpr bool takes_stop = with_stop();
    static constexpr bool valid = is_plain || takes_stop;

    using result = std::conditional_t<takes_stop,
                                      std::invoke_result<F, std::stop_token, Args...>,
                                      std::invoke_result<F, Args...>>;
};

/// How `submit(f, args...)` calls what it has stored: once, as rvalues.
template <class F, class... Args>
using call = call_of<std::decay_t<F>, arrives_t<std::decay_t<Args>>...>;

template <class F, class... Args>
using call_result_t = future_value_t<typename call<F, Args...>::result::type>;

/// `f(args...)` can be run by an executor: copies of the arguments fit the callable.
template <class F, class... Args>
concept submittable =
    !std::is_same_v<std::remove_cvref_t<F>, task_options> &&
    std::move_constructible<std::decay_t<F>> &&
    (std::constructible_from<std::decay_t<Args>, Args> && ...) && call<F, Args...>::valid;

template <class F, class... Args>
using task_for = closure_task<call_result_t<F, Args...>,
                              bound<std::decay_t<F>, std::decay_t<Args>...>,
                              call<F, Args...>::takes_stop>;

/// Builds the task for `f(args...)` with `handles` handles, owned by the executor-to-be.
template <class F, class... Args>
auto* make_task(const char* where, std::uint32_t handles, F&& f, Args&&... args) {
    require_callable<std::decay_t<F>>(f, where);
    return task_for<F, Args...>::make(
        handles, std::in_place, std::forward<F>(f), std::forward<Args>(args)...);
}

} // namespace heddle::detail
