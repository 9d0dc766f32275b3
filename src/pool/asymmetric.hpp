/// Asymmetric barriers: nearly free for the frequent side, dear for the rare one.
///
/// What is wanted, on both sides, is: my store is visible before my next load (Dekker). The
/// frequent side only keeps the compiler from reordering; the rare side makes the kernel run a
/// full barrier on every core that runs a thread of this process (membarrier), between its own
/// store and load. Where that is not to be had, and under ThreadSanitizer or a race finder, which
/// cannot see it, both sides use sequentially consistent accesses instead.
#pragma once

#include <heddle/detail/atomic.hpp>

namespace heddle::detail {

/// True if the kernel offers membarrier, this process has registered for it, and no race detector
/// listens. Written once, by choose_barriers(), before the first worker starts.
extern constinit bool asymmetric_barriers;

/// Registers for membarrier; called before a pool starts its first worker.
void choose_barriers() noexcept;

/// The rare side's barrier; 0.3 µs alone, 2.6 µs with another running thread.
void heavy_barrier() noexcept;

/// The frequent side, where the barriers are known to be asymmetric (`Light`) or not to be: its
/// store, its load, and what goes between them. A light access need not be told to a race detector,
/// since with one the barriers are symmetric.
template <bool Light, class T>
void store_light(atomic<T>& word, T value) noexcept {
    // release: publishes what comes before; the store-load order is the heavy side's.
    if constexpr (Light) word.untold().store(value, std::memory_order_release);
    else word.store(value, std::memory_order_seq_cst);
}
inline void light_barrier() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}
template <bool Light, class T>
T load_light(const atomic<T>& word) noexcept {
    // acquire: pairs with the release in store_light().
    if constexpr (Light) return word.untold().load(std::memory_order_acquire);
    else return word.load(std::memory_order_seq_cst);
}
/// The same where it is not known.
template <class T>
void store_light(atomic<T>& word, T value) noexcept {
    if (asymmetric_barriers) [[likely]]
        store_light<true>(word, value);
    else store_light<false>(word, value);
}
template <class T>
T load_light(const atomic<T>& word) noexcept {
    return asymmetric_barriers ? load_light<true>(word) : load_light<false>(word);
}

} // namespace heddle::detail
