/// The page that a pool shares with each of its workers: small calls, who has each, small answers.
/// README.md has the protocol, and the proof that no wake-up is lost.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace heddle::detail {

struct claims {
    static constexpr std::uint32_t offered = 0, ///< sent, and nobody has it yet
        taken = 1,                              ///< the worker runs it
        withdrawn = 2,                          ///< the pool has it back
        answered = 3,                           ///< its answer lies in the slot
        gone = 4;                               ///< answered on the socket, or lost
    static constexpr std::uint32_t count = 256, small = 232;
    static constexpr std::uint32_t nobody = 0, awake = 1, asleep = 2; // who waits, see below

    struct alignas(64) slot {
        /// Protocol: the pool sets `offered` before it rings; then the worker makes it `taken`, to
        /// run it, or the pool `withdrawn`, to have it run elsewhere, both by compare-exchange. So
        /// exactly one of them has the call, also when the worker dies. Whoever sees `answered`
        /// sees the rest of the slot. Who waits for the call sleeps on this word, so every end of
        /// `offered` and `taken` changes it, and all changes are seq_cst.
        atomic<std::uint32_t> state;
        /// Protocol: a waiting thread sets `awake` (it looks at `state` again and again), and later
        /// `asleep`, before it looks at `state` for the last time and sleeps; whoever changes
        /// `state` looks here afterwards (all seq_cst). So either the one sees the change or
        /// the other the sleeper. Set back by the pool only, with its lock, before `offered`.
        atomic<std::uint32_t> watched;
        std::uint32_t call_size; ///< of the frame that lies here; 0: it comes by the socket
        std::uint32_t size, microseconds;              ///< of the answer
        alignas(8) std::array<std::byte, small> bytes; ///< the call; later, its answer

        /// A thread that is going to watch(), with the pool's lock: no other need be told.
        void note_watcher() noexcept;
        /// Waits until the call is neither `offered` nor `taken`.
        void watch() noexcept;
        /// After a change of `state`: wakes who sleeps. False if nobody is waiting.
        bool tell_watchers() noexcept;
    };

    /// When the pool wants to be told, by a frame, that a call was answered here.
    enum class attention : std::uint32_t { none, low, any };
    /// Protocol: the pool sets it and then looks at the slots; the worker answers in a slot and
    /// then looks at it (all seq_cst). So one of them sees what the other did.
    alignas(64) atomic<attention> wanted;
    /// Protocol: twice the number of calls sent, plus 1 if there will be no more; written by the
    /// pool, with its lock, once the call is in its slot.
    alignas(64) atomic<std::uint32_t> bell;
    /// Protocol: the worker sets it to 1, looks at the bell once more and sleeps on this word; the
    /// pool rings, then looks here, sets it to 0 and wakes (all seq_cst). So either the worker
    /// sees the bell, or the pool the 1; and whoever is about to sleep on a 1 that the pool
    /// has taken away does not.
    atomic<std::uint32_t> sleeping;
    /// Protocol: set by a thread that fetched an answer itself, taken back when the supervisor
    /// had to. A hint whether one will come, so that the worker need not tell; relaxed.
    atomic<bool> fetched;
    /// Protocol: how many calls the worker is past, so that their slots may be used again; written
    /// by the worker (release) when it will touch them no more, read by the pool (acquire).
    alignas(64) atomic<std::uint32_t> past;
    /// Calls use the slots in turn; one is used again when the call before has left it for good.
    std::array<slot, count> slots;

    slot& of(std::uint64_t ticket) noexcept { return slots[ticket % count]; }
    /// The pool has sent `calls` calls in all.
    void ring(std::uint64_t calls, bool last) noexcept;
    /// The worker, which has looked at `seen` calls, waits for the next for a few microseconds.
    bool spin_for_call(std::uint64_t seen) const noexcept;
    /// The worker, which has looked at `seen` calls, waits for the next; false if there will be
    /// none. It may also return early, true, to be called again.
    bool await_call(std::uint64_t seen, duration limit) noexcept;
    /// How many calls the worker has before it, when it has looked at `seen`. What is in their
    /// slots is seen, too.
    std::uint32_t left_after(std::uint64_t seen) const noexcept;
};
static_assert(sizeof(claims::slot) == 256);

/// With so few calls left a worker tells of what it has answered, whoever `wanted` it how.
inline constexpr std::size_t calls_low = 8;

} // namespace heddle::detail
