#include <heddle/detail/parking.hpp>
#include <heddle/event.hpp>

#include <limits>

namespace heddle {

void event::set() noexcept {
    // relaxed: the exchange below validates what was read.
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    std::uint32_t wanted = 0;
    do {
        wanted = (seen & set_bit) ? seen : (seen + one_generation - (seen & waited_bit)) | set_bit;
        // release, also if it is set already: what this thread wrote must be visible to who sees
        // the flag; pairs with the acquire in is_set() and wait_until(). acquire: keeps what
        // earlier setters published.
    } while (!word_.compare_exchange_weak(
        seen, wanted, std::memory_order_acq_rel, std::memory_order_relaxed));
    if (seen & waited_bit) detail::futex_wake(&word_, std::numeric_limits<int>::max());
}

void event::clear() noexcept {
    // acq_rel: keeps the chain of publications through the word unbroken; pairs with set().
    word_.fetch_and(~set_bit, std::memory_order_acq_rel);
}

bool event::wait_until(detail::deadline limit) noexcept {
    // acquire, here and below: pairs with the release in set().
    std::uint32_t seen = word_.load(std::memory_order_acquire);
    const std::uint32_t generation = seen / one_generation;
    const auto released = [&] {
        return (seen & set_bit) != 0 || seen / one_generation != generation;
    };
    while (!released()) {
        if (limit.passed()) {
            // acquire: as above.
            seen = word_.load(std::memory_order_acquire);
            return released();
        }
        // acquire: as above.
        if (!(seen & waited_bit) &&
            !word_.compare_exchange_weak(
                seen, seen | waited_bit, std::memory_order_acquire, std::memory_order_acquire)) {
            continue;
        }
        detail::futex_wait(word_, seen | waited_bit, limit);
        // acquire: as above.
        seen = word_.load(std::memory_order_acquire);
    }
    return true;
}

} // namespace heddle
