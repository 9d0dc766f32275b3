/// `detail::atomic<T>`: `std::atomic<T>`, seen by a race detector even where the compiler did not
/// instrument it.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__SANITIZE_THREAD__)
#define HEDDLE_INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HEDDLE_INSTRUMENTED 1
#endif
#endif
#ifndef HEDDLE_INSTRUMENTED
#define HEDDLE_INSTRUMENTED 0
#endif

/// The functions that instrumented code calls, overloaded by the width of the word. All are null
/// in a program without a detector.
namespace heddle::detail::detector {
#define HEDDLE_DETECTOR(BITS)                                                                      \
    using word##BITS = std::uint##BITS##_t;                                                        \
    [[gnu::weak]] word##BITS load(const volatile word##BITS*,                                      \
                                  int) noexcept asm("__tsan_atomic" #BITS "_load");                \
    [[gnu::weak]] void store(volatile word##BITS*, word##BITS, int) noexcept asm(                  \
        "__tsan_atomic" #BITS "_store");                                                           \
    [[gnu::weak]] word##BITS exchange(volatile word##BITS*, word##BITS, int) noexcept asm(         \
        "__tsan_atomic" #BITS "_exchange");                                                        \
    [[gnu::weak]] word##BITS fetch_add(volatile word##BITS*, word##BITS, int) noexcept asm(        \
        "__tsan_atomic" #BITS "_fetch_add");                                                       \
    [[gnu::weak]] word##BITS fetch_and(volatile word##BITS*, word##BITS, int) noexcept asm(        \
        "__tsan_atomic" #BITS "_fetch_and");                                                       \
    [[gnu::weak]] word##BITS fetch_or(volatile word##BITS*, word##BITS, int) noexcept asm(         \
        "__tsan_atomic" #BITS "_fetch_or");                                                        \
    [[gnu::weak]] word##BITS fetch_xor(volatile word##BITS*, word##BITS, int) noexcept asm(        \
        "__tsan_atomic" #BITS "_fetch_xor");                                                       \
    [[gnu::weak]] int compare_exchange(volatile word##BITS*,                                       \
                                       word##BITS*,                                                \
                                       word##BITS,                                                 \
                                       int,                                                        \
                                       int) noexcept asm("__tsan_atomic" #BITS                     \
                                                         "_compare_exchange_strong");
HEDDLE_DETECTOR(8)
HEDDLE_DETECTOR(32)
HEDDLE_DETECTOR(64)
#undef HEDDLE_DETECTOR

/// True if code that is not instrumented has to tell a detector what it does. A test of a word that
/// the loader fills, and of none where the compiler does the telling.
inline bool listens() noexcept {
    constexpr auto probe = static_cast<word32 (*)(const volatile word32*, int) noexcept>(load);
#if defined(HEDDLE_COMPILING) && !HEDDLE_INSTRUMENTED
    return probe != nullptr;
#else
    (void)probe;
    return false;
#endif
}
} // namespace heddle::detail::detector

namespace heddle::detail {

/// Fetches the cache line at `p`, which is about to be written, from wherever it is; never faults.
/// One transfer between cores, where reading first and then writing are two. (On x86-64 the
/// compiler's builtin fetches for reading, unless it is told that the processor can do both.)
inline void prefetch_to_write(const void* p) noexcept {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(p)));
#else
    __builtin_prefetch(p, 1);
#endif
}

/// An atomic word, with the members of `std::atomic` that Heddle uses, and their meaning.
///
/// A program built with `-fsanitize=thread` may be linked with a Heddle that was not. The detector
/// (ThreadSanitizer, or the race finder in its place) then sees none of the atomic operations in
/// Heddle's compiled part: nothing would seem to order what tasks do, and every hand-over of work
/// would be reported as a race. So an operation that the compiler did not instrument calls the
/// detector itself, if there is one.
///
/// However it was compiled, a function does the same, so the linker may keep any copy of it.
/// Thread safety: as `std::atomic`. Lifetime: likewise.
template <class T>
class atomic {
    using order = std::memory_order;
    using word =
        std::conditional_t<sizeof(T) == 1,
                           detector::word8,
                           std::conditional_t<sizeof(T) == 4, detector::word32, detector::word64>>;
    static_assert(sizeof(T) == sizeof(word) && std::atomic<T>::is_always_lock_free);

public:
    constexpr atomic() noexcept : value_(T()) {}
    constexpr atomic(T value) noexcept : value_(value) {}
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    T operator=(T value) noexcept {
        store(value);
        return value;
    }
    operator T() const noexcept { return load(); }
    T operator++() noexcept { return static_cast<T>(fetch_add(1) + 1); }
    T operator--() noexcept { return static_cast<T>(fetch_sub(1) - 1); }

    [[gnu::always_inline]] T load(order o = order::seq_cst) const noexcept {
        if (told(o)) [[unlikely]]
            return value_of(detector::load(raw(), of(o)));
        return value_.load(o);
    }
    [[gnu::always_inline]] void store(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]]
            detector::store(raw(), word_of(value), of(o));
        else value_.store(value, o);
    }
    [[gnu::always_inline]] T exchange(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]] {
            return value_of(detector::exchange(raw(), word_of(value), of(o)));
        }
        return value_.exchange(value, o);
    }
    [[gnu::always_inline]] T fetch_add(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]] {
            return value_of(detector::fetch_add(raw(), word_of(value), of(o)));
        }
        return value_.fetch_add(value, o);
    }
    [[gnu::always_inline]] T fetch_sub(T value, order o = order::seq_cst) noexcept {
        return fetch_add(static_cast<T>(-value), o);
    }
    [[gnu::always_inline]] T fetch_and(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]] {
            return value_of(detector::fetch_and(raw(), word_of(value), of(o)));
        }
        return value_.fetch_and(value, o);
    }
    [[gnu::always_inline]] T fetch_or(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]] {
            return value_of(detector::fetch_or(raw(), word_of(value), of(o)));
        }
        return value_.fetch_or(value, o);
    }
    [[gnu::always_inline]] T fetch_xor(T value, order o = order::seq_cst) noexcept {
        if (told(o)) [[unlikely]] {
            return value_of(detector::fetch_xor(raw(), word_of(value), of(o)));
        }
        return value_.fetch_xor(value, o);
    }
    [[gnu::always_inline]] bool
    compare_exchange_strong(T& expected, T value, order yes, order no) noexcept {
        if (told(yes)) [[unlikely]]
            return told_exchange(expected, value, yes, no);
        return value_.compare_exchange_strong(expected, value, yes, no);
    }
    [[gnu::always_inline]] bool
    compare_exchange_weak(T& expected, T value, order yes, order no) noexcept {
        if (told(yes)) [[unlikely]]
            return told_exchange(expected, value, yes, no);
        return value_.compare_exchange_weak(expected, value, yes, no);
    }
    [[gnu::always_inline]] bool
    compare_exchange_strong(T& expected, T value, order o = order::seq_cst) noexcept {
        return compare_exchange_strong(expected, value, o, on_failure(o));
    }
    [[gnu::always_inline]] bool
    compare_exchange_weak(T& expected, T value, order o = order::seq_cst) noexcept {
        return compare_exchange_weak(expected, value, o, on_failure(o));
    }

    /// The word itself, for who knows that no detector listens.
    std::atomic<T>& untold() noexcept { return value_; }
    const std::atomic<T>& untold() const noexcept { return value_; }

private:
    /// A relaxed operation orders nothing, so nobody need be told of it; that keeps the fast paths
    /// of the queues as they are. (No loop in Heddle waits by relaxed loads alone.)
    static bool told(order o) noexcept { return o != order::relaxed && detector::listens(); }
    static constexpr int of(order o) noexcept { return static_cast<int>(o); }
    /// What a failed exchange may still be: it stores nothing, so it releases nothing.
    static constexpr order on_failure(order o) noexcept {
        if (o == order::acq_rel) return order::acquire;
        return o == order::release ? order::relaxed : o;
    }
    static word word_of(T value) noexcept { return std::bit_cast<word>(value); }
    static T value_of(word w) noexcept { return std::bit_cast<T>(w); }
    word* raw() const noexcept {
        return const_cast<word*>(reinterpret_cast<const word*>(&value_)); // as the compiler does
    }
    bool told_exchange(T& expected, T value, order yes, order no) noexcept {
        word seen = word_of(expected);
        const bool done =
            detector::compare_exchange(raw(), &seen, word_of(value), of(yes), of(no)) != 0;
        if (!done) expected = value_of(seen);
        return done;
    }

    std::atomic<T> value_;
};

} // namespace heddle::detail
