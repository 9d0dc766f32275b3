/// Asymmetric barriers: nearly free for the frequent side, dear for the rare one.
///
/// What is wanted, on both sides, is: my store is visible before my next load (Dekker). The
/// frequent side only keeps the compiler from reordering; the rare side makes the kernel run a
/// full barrier on every core that runs a thread of this process (membarrier), between its own
/// store and load. Where that is not to be had, and under ThreadSanitizer or a race finder, which
/// cannot see it, both sides use sequentially consistent accesses instead.
#pragma once

#include <atomic>

#if defined(__SANITIZE_THREAD__)
#define HEDDLE_SYMMETRIC_BARRIERS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HEDDLE_SYMMETRIC_BARRIERS 1
#endif
#endif
#ifndef HEDDLE_SYMMETRIC_BARRIERS
#define HEDDLE_SYMMETRIC_BARRIERS 0
#endif

namespace heddle::detail {

/// True if the kernel offers membarrier and this process has registered for it. Written once, by
/// choose_barriers(), before the first worker starts.
extern constinit bool asymmetric_barriers;

/// Registers for membarrier; called before a pool starts its first worker.
void choose_barriers() noexcept;

/// The rare side's barrier; 0.3 µs alone, 2.6 µs with another running thread.
void heavy_barrier() noexcept;

/// The frequent side's store, load, and what goes between them.
template <class T>
void store_light(std::atomic<T>& word, T value) noexcept {
    if (HEDDLE_SYMMETRIC_BARRIERS || !asymmetric_barriers) [[unlikely]] {
        word.store(value, std::memory_order_seq_cst);
    } else {
        // release: publishes what comes before; the store-load order is the heavy side's.
        word.store(value, std::memory_order_release);
    }
}
inline void light_barrier() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}
template <class T>
T load_light(const std::atomic<T>& word) noexcept {
    if (HEDDLE_SYMMETRIC_BARRIERS) return word.load(std::memory_order_seq_cst);
    // acquire: pairs with the release in store_light().
    return word.load(asymmetric_barriers ? std::memory_order_acquire : std::memory_order_seq_cst);
}

} // namespace heddle::detail
