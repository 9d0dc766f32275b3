/// `guarded<T>`: a value that can be reached only through its lock.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <type_traits>
#include <utility>

// clang can tell that a reference taken from a temporary lock outlives it.
#if defined(__clang__)
#define HEDDLE_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define HEDDLE_LIFETIMEBOUND
#endif

namespace heddle {

namespace detail {

template <class Mutex>
concept shared_mutex = requires(Mutex& m) {
    m.lock_shared();
    m.unlock_shared();
};

} // namespace detail

/// A held lock and a pointer to the value it guards: what `guarded::lock` returns.
///
/// Thread safety: belongs to one thread. Lifetime: the `guarded` must outlive it; references got
/// from it must not be used after it is gone.
template <class T, class Lock>
class [[nodiscard]] locked {
public:
    /// For `guarded`: access to `value` for as long as `lock` is held.
    locked(T& value, Lock&& lock) noexcept : value_(&value), lock_(std::move(lock)) {}

    T& operator*() const noexcept HEDDLE_LIFETIMEBOUND { return *value_; }
    T* operator->() const noexcept HEDDLE_LIFETIMEBOUND { return value_; }

private:
    T* value_;
    Lock lock_;
};

/// A value that can be reached only while its mutex is held, so that it cannot be forgotten.
///
/// Costs what its mutex costs.
///
/// Example:
///     heddle::guarded<std::map<int, std::string>> names;
///     names.with([](auto& map) { map[1] = "one"; });
///     auto p = names.lock();
///     p->erase(1);
///
/// Thread safety: all members may be called from any thread. A thread that holds the lock and asks
/// for it again deadlocks, as with the mutex itself. Lifetime: owns the value; nothing may hold
/// the lock when it is destroyed.
template <class T, class Mutex = std::mutex>
class guarded {
    using lock_type = std::unique_lock<Mutex>;

public:
    /// Makes the value in place from `args`.
    template <class... Args>
        requires std::constructible_from<T, Args...>
    explicit(sizeof...(Args) != 0) guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
    /// Takes a value; also a braced list of what it contains.
    explicit guarded(T value)
        requires std::move_constructible<T>
        : value_(std::move(value)) {}
    guarded(const guarded&) = delete;
    guarded& operator=(const guarded&) = delete;

    /// Calls `f(value)` while the lock is held; returns what it returns, by value, so that a
    /// reference to the guarded value does not get out. Throws what `f` throws. Blocks while
    /// somebody else holds the lock.
    // Unconstrained, with a deduced result: a constraint on the const one would try `f` with a
    // const value for every call, and a generic lambda that changes the value would not compile.
    template <class F>
    auto with(F&& f) {
        static_assert(std::invocable<F, T&>,
                      "heddle: guarded::with calls f(value): f must take "
                      "a reference to the guarded value, and nothing else");
        std::lock_guard lock(mutex_);
        return std::invoke(std::forward<F>(f), value_);
    }
    template <class F>
    auto with(F&& f) const {
        static_assert(std::invocable<F, const T&>,
                      "heddle: guarded::with on a const object calls f(value) with a const value");
        std::lock_guard lock(mutex_);
        return std::invoke(std::forward<F>(f), value_);
    }

    /// As `with`, under the shared lock and with a const value: readers do not exclude each other.
    template <class F>
        requires detail::shared_mutex<Mutex> && std::invocable<F, const T&>
    std::decay_t<std::invoke_result_t<F, const T&>> with_shared(F&& f) const {
        std::shared_lock lock(mutex_);
        return std::invoke(std::forward<F>(f), value_);
    }

    /// Takes the lock and returns a pointer-like object that holds it. Blocks while somebody else
    /// holds the lock.
    ///
    /// Give it a name if you use the value for longer than one expression: a reference taken from
    /// `*g.lock()`, also by `for (auto& x : *g.lock())`, is used without the lock. (clang warns.)
    locked<T, lock_type> lock() { return {value_, lock_type(mutex_)}; }
    locked<const T, lock_type> lock() const { return {value_, lock_type(mutex_)}; }

    /// As `lock`, shared, with a const value.
    locked<const T, std::shared_lock<Mutex>> lock_shared() const
        requires detail::shared_mutex<Mutex>
    {
        return {value_, std::shared_lock(mutex_)};
    }

    /// Returns a copy of the value, made under the lock (the shared one, if there is one).
    T get() const
        requires std::copy_constructible<T>
    {
        using lock = std::conditional_t<detail::shared_mutex<Mutex>,
                                        std::shared_lock<Mutex>,
                                        std::unique_lock<Mutex>>;
        lock held(mutex_);
        return value_;
    }

private:
    template <class... Guarded>
    friend auto lock_all(Guarded&... guarded);

    mutable Mutex mutex_;
    T value_;
};

/// `guarded g(value)` guards a copy of the value with a `std::mutex`.
template <class T>
guarded(T) -> guarded<T>;

/// Takes the locks of several different `guarded` objects and returns a tuple of what their `lock`
/// returns. However the calls order their arguments, they do not deadlock with each other.
///
/// Example:
///     auto [from, to] = heddle::lock_all(account_a, account_b);
///     *from -= 10;
///     *to += 10;
template <class... Guarded>
auto lock_all(Guarded&... guarded) {
    static_assert(sizeof...(Guarded) > 0, "heddle: lock_all needs at least one guarded object");
    std::tuple locks(std::unique_lock(guarded.mutex_, std::defer_lock)...);
    std::apply(
        [](auto& first, auto&... others) {
            if constexpr (sizeof...(others) == 0) first.lock();
            else std::lock(first, others...);
        },
        locks);
    return std::apply(
        [&](auto&... lock) { return std::tuple(locked(guarded.value_, std::move(lock))...); },
        locks);
}

} // namespace heddle
