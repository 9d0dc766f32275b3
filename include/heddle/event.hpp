/// `event`: a flag that threads can wait for.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/time.hpp>

#include <chrono>
#include <cstdint>

namespace heddle {

/// A flag, at first clear, that any thread can set, clear and wait for.
///
/// Who waits when it is set is released even if it is cleared again at once. Takes 4 bytes.
///
/// Example:
///     heddle::event ready;
///     std::jthread server([&] { listen(); ready.set(); serve(); });
///     ready.wait();
///
/// Thread safety: all members may be called from any thread. Lifetime: may be destroyed as soon as
/// no thread waits, also while the `set` that released the last one is still returning.
class event {
public:
    event() noexcept = default;
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Sets the flag and releases everybody who waits. What was written before is visible to who
    /// sees the flag. Does not block; one atomic operation if nobody waits.
    void set() noexcept;

    /// Clears the flag; later waits block until the next `set`. Does not block.
    void clear() noexcept;

    /// Tells whether the flag is set. Never blocks.
    bool is_set() const noexcept {
        // acquire: pairs with the release in set().
        return (word_.load(std::memory_order_acquire) & set_bit) != 0;
    }

    /// Blocks until the flag is set.
    void wait() noexcept { wait_until(detail::deadline::never()); }

    /// Blocks until the flag is set, for at most `d`; returns whether it was. A flag set at the
    /// same instant as the time limit counts as set.
    template <class Rep, class Period>
    bool wait_for(std::chrono::duration<Rep, Period> d) noexcept {
        return wait_until(detail::deadline::after(d));
    }

private:
    static constexpr std::uint32_t set_bit = 1, waited_bit = 2, one_generation = 4;

    bool wait_until(detail::deadline limit) noexcept;

    /// Protocol: bit 0 is the flag; bit 1 tells that somebody may sleep on the word; above them
    /// counts every change from clear to set. A sleeper is released by the flag or by a count that
    /// is not the one it came with, so a short pulse is not missed. (It would be after exactly
    /// 2^30 pulses during one wake-up.) `set` does not touch the word after its one operation.
    detail::atomic<std::uint32_t> word_{0};
};

} // namespace heddle
