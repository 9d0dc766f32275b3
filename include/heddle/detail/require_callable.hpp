/// The check that a callable is there at all, made where it is handed over.
#pragma once

#include <concepts>
#include <type_traits>

namespace heddle::detail {

template <class F>
concept may_be_empty = std::is_pointer_v<F> || std::is_member_pointer_v<F> ||
                       (std::is_class_v<F> && requires(const F& f) {
                           { f.operator bool() } -> std::same_as<bool>;
                       });

/// Throws the std::invalid_argument of `require_callable`, naming the verb.
[[noreturn]] void refuse_empty_callable(const char* where);

/// Throws std::invalid_argument for a null function pointer or an empty std::function.
template <class F>
void require_callable(const F& f, const char* where) {
    if constexpr (may_be_empty<F>) {
        if (!static_cast<bool>(f)) refuse_empty_callable(where);
    }
}

} // namespace heddle::detail
