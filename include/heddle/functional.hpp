/// `partial` freezes arguments, `retry` tries again: callables made of callables.
#pragma once

#include <heddle/detail/require_callable.hpp>
#include <heddle/error.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heddle {

namespace detail {

/// How a frozen argument is passed on: `std::ref` as a reference, anything else as `Stored`.
template <class Stored>
decltype(auto) thaw(Stored&& stored) noexcept {
    using bare = std::remove_cvref_t<Stored>;
    if constexpr (std::is_same_v<bare, std::decay_t<std::unwrap_reference_t<bare>>>) {
        return std::forward<Stored>(stored);
    } else {
        return static_cast<std::unwrap_reference_t<bare>>(stored);
    }
}
template <class Stored>
using thawed = decltype(thaw(std::declval<Stored>()));

/// What `partial` returns.
///
/// Thread safety: may be called from several threads at once if the callable may. Lifetime: owns
/// its callable and arguments, except what was given by `std::ref`.
template <class F, class... Frozen>
class partial_call {
public:
    template <class G, class... Args>
    explicit partial_call(std::in_place_t, G&& f, Args&&... args)
        : f_(std::forward<G>(f)), frozen_(std::forward<Args>(args)...) {}

    /// Calls the callable with the frozen arguments, as constants, and `rest`.
    template <class... Rest>
        requires std::is_invocable_v<F&, thawed<const Frozen&>..., Rest...>
    decltype(auto) operator()(Rest&&... rest) & {
        return call(f_, frozen_, std::forward<Rest>(rest)...);
    }
    template <class... Rest>
        requires std::is_invocable_v<const F&, thawed<const Frozen&>..., Rest...>
    decltype(auto) operator()(Rest&&... rest) const& {
        return call(f_, frozen_, std::forward<Rest>(rest)...);
    }
    /// Calls the callable for the last time: the frozen arguments are moved to it.
    template <class... Rest>
        requires std::is_invocable_v<F, thawed<Frozen>..., Rest...>
    decltype(auto) operator()(Rest&&... rest) && {
        return std::apply(
            [&](Frozen&... frozen) -> decltype(auto) {
                return std::invoke(
                    std::move(f_), thaw(std::move(frozen))..., std::forward<Rest>(rest)...);
            },
            frozen_);
    }

private:
    template <class G, class... Rest>
    static decltype(auto) call(G& f, const std::tuple<Frozen...>& all, Rest&&... rest) {
        return std::apply(
            [&](const Frozen&... frozen) -> decltype(auto) {
                return std::invoke(f, thaw(frozen)..., std::forward<Rest>(rest)...);
            },
            all);
    }

    F f_;
    std::tuple<Frozen...> frozen_;
};

} // namespace detail

/// Returns a callable that calls `f` with `args` in front of its own arguments.
///
/// `args` are copied or moved in now and never change: each call sees them as constants, so what
/// the caller does to its variables afterwards does not matter; use `std::ref` to share one. Called
/// as an rvalue (`std::move(p)()`), it hands them over, so move-only arguments work. `f` may be a
/// pointer to a member, and again a `partial`. Does not block; allocates nothing. Throws
/// `std::invalid_argument` if `f` is empty.
///
/// Example:
///     auto greet = heddle::partial(say, "hello");
///     for (int i = 0; i < 100; ++i) pool.post(heddle::partial(show, i)); // i as it is now
template <class F, class... Args>
auto partial(F&& f, Args&&... args) {
    detail::require_callable<std::decay_t<F>>(f, "partial");
    return detail::partial_call<std::decay_t<F>, std::decay_t<Args>...>(
        std::in_place, std::forward<F>(f), std::forward<Args>(args)...);
}

/// When and how often `retry` tries again.
struct retry_options {
    int attempts = 3;                                  ///< calls in all, at least 1
    duration backoff = std::chrono::milliseconds(100); ///< the first pause; doubles each time
    duration max_backoff = std::chrono::seconds(30);   ///< no pause is longer
    double jitter = 0;                                 ///< 0..1: shortens each pause at random by
                                                       ///< up to this share
    std::optional<duration> deadline{};                ///< from the call; no pause goes past it
};

namespace detail {

/// Throws `std::invalid_argument` naming the option, its value and its range.
void check(const retry_options& options);

/// The pauses of one call of a `retry`.
///
/// Thread safety: belongs to one thread. Lifetime: owns a copy of its options.
class retry_pauses {
public:
    explicit retry_pauses(const retry_options& options) noexcept;

    /// Returns when the next attempt may begin, after the pause or `at_least` if that is longer;
    /// nothing if there is none left or the pause would go past the deadline.
    std::optional<deadline> next_attempt(duration at_least = {}) noexcept;
    /// Sleeps before the next attempt and returns true; returns false, at once, if there is none
    /// left or the pause would go past the deadline.
    bool another_attempt() noexcept;

private:
    retry_options options_;
    deadline limit_;
    int attempt_ = 1;
    duration next_;
};

/// What `retry` returns.
///
/// Thread safety: may be called from several threads at once if the callable may. Lifetime: owns
/// its callable.
template <class F>
class retry_call {
public:
    template <class G>
    retry_call(const retry_options& options, G&& f) : options_(options), f_(std::forward<G>(f)) {}

    template <class... Args>
        requires std::is_invocable_v<F&, Args&...>
    decltype(auto) operator()(Args&&... args) {
        return call(options_, f_, args...);
    }
    template <class... Args>
        requires std::is_invocable_v<const F&, Args&...>
    decltype(auto) operator()(Args&&... args) const {
        return call(options_, f_, args...);
    }

private:
    template <class G, class... Args>
    static decltype(auto) call(const retry_options& options, G& f, Args&... args) {
        for (retry_pauses pauses(options);;) {
            try {
                return std::invoke(f, args...);
            } catch (const cancelled_error&) {
                throw; // somebody wants this to end
            } catch (...) {
                if (!pauses.another_attempt()) throw;
            }
        }
    }

    retry_options options_;
    F f_;
};

} // namespace detail

/// Returns a callable that calls `f` again when it throws, after pauses that double.
///
/// It passes its arguments to each attempt as lvalues, returns what `f` returns, and rethrows the
/// last exception when no attempt is left or the next pause would go past the deadline; a
/// `cancelled_error` at once. Blocks during the pauses. Throws `std::invalid_argument`, now, for
/// fewer than 1 attempts, a negative backoff, a jitter outside 0..1, or an empty `f`.
///
/// Example:
///     auto fetch = heddle::retry({.attempts = 5, .deadline = 10s}, download);
///     heddle::future<page> f = pool.submit(fetch, url);
template <class F>
auto retry(const retry_options& options, F&& f) {
    detail::check(options);
    detail::require_callable<std::decay_t<F>>(f, "retry");
    return detail::retry_call<std::decay_t<F>>(options, std::forward<F>(f));
}

} // namespace heddle
