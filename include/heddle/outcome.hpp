/// `outcome<T>`: what became of a task, a value or an exception, without throwing.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace heddle {

/// A value or an exception.
///
/// What `future::outcome` returns, and what `gather_outcomes` collects: the way to handle
/// failures one by one, without a `try` around each. `T` may be `void` or a reference.
///
/// Example:
///     heddle::outcome<int> o = pool.submit(parse, text).outcome();
///     if (o.has_value()) use(o.value());
///
/// Thread safety: as any value. Lifetime: owns its value; a reference outcome borrows.
template <class T>
class [[nodiscard]] outcome {
    static_assert(!std::is_same_v<std::remove_cv_t<T>, std::exception_ptr>,
                  "heddle: an outcome could not tell an exception_ptr that was returned from a "
                  "failure; use result()");
    struct nothing {};
    using stored = std::conditional_t<
        std::is_void_v<T>,
        nothing,
        std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;

public:
    using value_type = T;

    /// Holds a value. (For `void`: success.)
    outcome()
        requires std::is_void_v<T>
        : state_(std::in_place_index<0>) {}

    /// Holds `value`. A reference outcome keeps the address only.
    template <class U = T>
        requires(!std::is_void_v<T> && std::is_convertible_v<U &&, T> &&
                 !std::is_same_v<std::remove_cvref_t<U>, outcome> &&
                 !std::is_same_v<std::remove_cvref_t<U>, std::exception_ptr>)
    outcome(U&& value) : state_(make(std::forward<U>(value))) {}

    /// Holds an exception. `failure` must not be null.
    outcome(std::exception_ptr failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    /// Tells whether there is a value.
    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// Returns the value; rethrows the exception if there is none.
    std::add_lvalue_reference_t<std::add_const_t<T>> value() const& {
        rethrow_if_failed();
        if constexpr (std::is_reference_v<T>) return *std::get<0>(state_);
        else if constexpr (!std::is_void_v<T>) return std::get<0>(state_);
    }
    std::add_lvalue_reference_t<T> value() & {
        rethrow_if_failed();
        if constexpr (std::is_reference_v<T>) return *std::get<0>(state_);
        else if constexpr (!std::is_void_v<T>) return std::get<0>(state_);
    }
    /// Returns the value, moved out; rethrows the exception if there is none.
    T value() && {
        rethrow_if_failed();
        if constexpr (std::is_reference_v<T>) return *std::get<0>(state_);
        else if constexpr (!std::is_void_v<T>) return std::get<0>(std::move(state_));
    }

    /// Returns the exception, or null if there is a value.
    std::exception_ptr exception() const noexcept {
        return has_value() ? nullptr : *std::get_if<1>(&state_);
    }

private:
    template <class U>
    static auto make(U&& value) {
        using variant = std::variant<stored, std::exception_ptr>;
        if constexpr (std::is_reference_v<T>) {
            T bound = std::forward<U>(value);
            return variant(std::in_place_index<0>, std::addressof(bound));
        } else {
            return variant(std::in_place_index<0>, std::forward<U>(value));
        }
    }
    void rethrow_if_failed() const {
        if (const auto* failure = std::get_if<1>(&state_)) std::rethrow_exception(*failure);
    }

    std::variant<stored, std::exception_ptr> state_;
};

} // namespace heddle
