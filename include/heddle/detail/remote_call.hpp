/// A call that runs in another process: what is sent, and what runs there.
#pragma once

#include <heddle/detail/archive.hpp>
#include <heddle/detail/callable.hpp>

#include <exception>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heddle::detail {

/// A function pointer among the arguments, which travels as module and offset.
template <class F>
class function_argument {
public:
    function_argument() = default;
    function_argument(F* f) : f_(f) {}
    operator F*() const noexcept { return f_; }

    void save(out_archive& to) const {
        const function_ref named =
            f_ ? name_function(reinterpret_cast<const void*>(f_)) : function_ref{};
        to.bytes(&named, sizeof named);
    }
    void load(in_archive& from) {
        function_ref named;
        from.bytes(&named, sizeof named);
        if (named.module == function_ref::none) f_ = nullptr;
        else f_ = reinterpret_cast<F*>(const_cast<void*>(find_function(named)));
    }

private:
    F* f_ = nullptr;
};

/// A string literal or string_view among the arguments, which travels as its text.
class text_argument {
public:
    text_argument() = default;
    text_argument(const char* text) : text_(text) {}
    text_argument(std::string_view text) : text_(text) {}
    operator const char*() const noexcept { return text_.c_str(); }
    operator std::string_view() const noexcept { return text_; }
    operator std::string() const { return text_; }

    void save(out_archive& to) const { to(text_); }
    void load(in_archive& from) { from(text_); }

private:
    std::string text_;
};

/// How an argument stored as A travels.
template <class A>
struct travelling {
    using type = A;
};
template <class F>
    requires std::is_function_v<F>
struct travelling<F*> {
    using type = function_argument<F>;
};
template <>
struct travelling<const char*> {
    using type = text_argument;
};
template <>
struct travelling<char*> {
    using type = text_argument;
};
template <>
struct travelling<std::string_view> {
    using type = text_argument;
};
template <class A>
using travelling_t = typename travelling<A>::type;

template <class A>
inline constexpr bool is_reference_wrapper = !std::is_same_v<std::unwrap_reference_t<A>, A>;

/// What a call gives across processes: a reference would lead nowhere, so its value travels.
template <class F, class... Args>
using remote_result_t = std::remove_cvref_t<call_result_t<F, Args...>>;

template <class F>
inline constexpr bool is_stateless =
    (std::is_empty_v<F> && std::is_trivially_copyable_v<F>) ||
    (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

/// Tells at compile time, in one sentence, why a call cannot be sent.
template <class F, class R, class... Stored>
consteval void require_transferable() {
    static_assert(is_stateless<F>,
                  "heddle: the callable has captures or members, and another process cannot see "
                  "them; pass its state as arguments instead: submit(f, state...)");
    static_assert((!is_reference_wrapper<Stored> && ...),
                  "heddle: std::ref cannot lead into another process; pass the value, or use "
                  "mp::shared_value, mp::shared_array or mp::queue");
    static_assert(
        (!std::is_pointer_v<travelling_t<Stored>> && ...),
        "heddle: a pointer leads into the memory of this process; pass the value, a smart "
        "pointer to a copy, or mp::shared_value, mp::shared_array or mp::queue");
    static_assert((transferable<travelling_t<Stored>> && ...),
                  "heddle: cereal cannot save and load one of the arguments; give its type "
                  "a default constructor and template <class A> void serialize(A& a) { "
                  "a(member...); }");
    if constexpr (!std::is_void_v<R>) {
        static_assert(transferable<R>,
                      "heddle: cereal cannot save and load the result; give its type a "
                      "default constructor and template <class A> void serialize(A& a) { "
                      "a(member...); }");
    }
}

/// The callable itself: a pointer travels, anything else has no state and is made here.
template <class F>
void save_callable(out_archive& to, const F& f) {
    if constexpr (std::is_pointer_v<F>) to(travelling_t<F>(f));
}
template <class F>
F load_callable(in_archive& from) {
    if constexpr (std::is_pointer_v<F>) {
        travelling_t<F> f;
        from(f);
        return f;
    } else { // a lambda need not be default constructible, but has nothing that could be built
        struct alignas(F) storage {
            std::byte bytes[sizeof(F)]{};
        };
        return __builtin_bit_cast(F, storage{});
    }
}

template <class A, class S>
decltype(auto) arrive(S& held) {
    if constexpr (std::is_same_v<A, S>) return std::move(held);
    else if constexpr (std::is_pointer_v<A> && std::is_function_v<std::remove_pointer_t<A>>) {
        return static_cast<A>(held);
    } else return std::as_const(held);
}

template <class F, class R, bool TakesStop, class... Stored>
struct remote_call {
    static void run(reader& from, message& to, const std::stop_token& stop) {
        in_archive in(from);
        F f = load_callable<F>(in);
        std::tuple<travelling_t<Stored>...> arguments;
        std::apply([&](auto&... each) { (in(each), ...); }, arguments);
        auto call = [&]() -> decltype(auto) {
            return std::apply(
                [&](auto&... each) -> decltype(auto) {
                    if constexpr (TakesStop) {
                        return std::invoke(std::move(f), stop, arrive<Stored>(each)...);
                    } else {
                        return std::invoke(std::move(f), arrive<Stored>(each)...);
                    }
                },
                arguments);
        };
        if constexpr (std::is_void_v<R>) {
            call();
        } else {
            out_archive encode(to);
            encode(static_cast<const R&>(call()));
        }
    }
};

/// Encodes `f(args...)`, of whose result R comes back, into a message that is ready to be sent.
template <class R, class F, class... Args>
message encode_call(const F& f, const Args&... args) {
    using fn = std::decay_t<F>;
    using run = remote_call<fn, R, call<F, Args...>::takes_stop, std::decay_t<Args>...>;
    // Looked up once a type: a module that goes away takes this static with it.
    static const function_ref entry = name_function(reinterpret_cast<const void*>(&run::run));
    message made;
    made.append_value(entry);
    out_archive to(made);
    save_callable<fn>(to, f);
    [[maybe_unused]] const auto save = [&]<class S>(const auto& each) {
        to(static_cast<const S&>(each));
    };
    (save.template operator()<travelling_t<std::decay_t<Args>>>(
         static_cast<const travelling_t<std::decay_t<Args>>&>(args)),
     ...);
    return made;
}

} // namespace heddle::detail
