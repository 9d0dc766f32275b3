/// The queue for work from outside the pool: strictly first-in first-out, one read-modify-write to
/// add an item, one to take it. The protocol and its proof are in src/pool/README.md [Lane].
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/parking.hpp>
#include <heddle/detail/task.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace heddle::detail {

/// A small posted callable, kept in the queue itself: 8 bytes that are called and forgotten.
struct small_call {
    void (*invoke)(void* payload, const void* address) = nullptr;
    void* payload = nullptr; ///< the callable's bytes
    const void* address = nullptr;
};

/// One unit of work: a task, or, if `whole` is null, a small call. It is handed from function to
/// function by reference: a copy waits until all its parts have come from another core.
struct work {
    task* whole = nullptr;
    small_call call{}; ///< without meaning if there is a task
};

class lane {
    using function = void (*)(void*, const void*);
    struct slot;

public:
    lane() = default;
    ~lane(); // must be empty
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;

    /// A place in the queue that is one thread's to fill, and has to be filled soon: whoever comes
    /// to take from it waits.
    struct place {
        slot* where = nullptr; ///< null: there is no room; see push_locked()
        bool wake = false;     ///< the wake flag was set
    };
    /// Takes the next place at the end. Any thread, without the mutex.
    place announce() noexcept {
        // acquire: sees the block as it was made ready; pairs with the release in push_locked().
        const std::uint64_t end = end_.fetch_add(1, std::memory_order_acquire);
        if ((end & end_index_mask) >= block_slots) return {};
        block& last = *block_of(end >> end_bits);
        slot* const here = last.at(end & end_index_mask);
        // A slot was last written by whoever took from it. Each read-modify-write waits until all
        // writes before it have their cache lines, so the lines of the next places are fetched in
        // time: a stream of items then costs a third. Never faults behind the block's end.
        prefetch_to_write(last.at((end & end_index_mask) + slots_ahead));
        return {here, (end & wake_bit) != 0};
    }
    static void fill(slot& s, const work& item) noexcept {
        s.payload = item.whole ? static_cast<void*>(item.whole) : item.call.payload;
        s.address = item.call.address;
        // release: publishes the two above; pairs with the acquire in read().
        s.invoke.store(item.whole ? &is_task : item.call.invoke, std::memory_order_release);
    }
    /// Takes back attempts to announce where there was no room, lest their number overflows. Call
    /// with the pool's mutex held, whenever announce() found no room.
    void forget_attempts() noexcept;
    /// Adds at the end, with one more block if needed. Call with the mutex held. True if the wake
    /// flag was set. Throws std::bad_alloc, unchanged.
    bool push_locked(const work& item);

    /// From now on there is no room; what was announced before can still be taken. Call with the
    /// mutex held.
    void close() noexcept;

    /// Sets or clears the flag that tells pushers to wake somebody. What was pushed before is seen
    /// by the caller afterwards; what is pushed later sees the flag. Call with the mutex held.
    void set_wake(bool wake) noexcept {
        // relaxed: one word, so its own order of changes is all that matters.
        if (wake) end_.fetch_or(wake_bit, std::memory_order_relaxed);
        else end_.fetch_and(~wake_bit, std::memory_order_relaxed);
    }

    /// Takes the first item if it is known to be there; needs no mutex. When it returns false,
    /// there may still be items: see claim_locked().
    bool take(work& into) noexcept {
        // relaxed: a look before the leap, so that an empty lane is not written to.
        if (left(claim_.load(std::memory_order_relaxed)) <= 0) return false;
        // acquire: sees the block; pairs with the release in claim_locked().
        return read(claim_.fetch_add(1, std::memory_order_acquire), into);
    }
    /// Claims the first item, if there is one. Call with the mutex held; then, without it, read()
    /// the item, and retire() the block that `retired` may have received.
    struct block;
    std::uint64_t claim_locked(block*& retired) noexcept;
    /// Reads what was claimed, if anything was. May wait for the thread that is filling the place;
    /// that thread may be waiting for the mutex.
    static bool read(std::uint64_t claimed, work& into) noexcept {
        if (left(claimed) <= 0) return false;
        block& front = *block_of(claimed >> (2 * index_bits));
        slot& s = *front.at(claimed & index_mask);
        // acquire: sees the slot's contents; pairs with the release in fill().
        auto invoke = s.invoke.load(std::memory_order_acquire);
        if (!invoke) [[unlikely]]
            invoke = await_filled(s);
        if (left(claimed) > tasks_ahead) fetch_ahead(front, claimed & index_mask);
        into.whole = invoke == &is_task ? static_cast<task*>(s.payload) : nullptr;
        into.call = {invoke, s.payload, s.address};
        // release: our reads come before the slot's next use; pairs with the acquire in retire().
        s.invoke.store(&is_used, std::memory_order_release);
        return true;
    }
    /// Keeps `retired` for the next use, or frees it; null does nothing. Call without the mutex.
    void retire(block* retired) noexcept;

    /// A guess, for those who do not hold the mutex. Never true if something was announced before
    /// a set_wake() that the caller made.
    bool looks_empty() const noexcept {
        // relaxed: a guess; after set_wake(), the same word.
        const std::uint64_t claim = claim_.load(std::memory_order_relaxed);
        if (left(claim) > 0) return false;
        const std::uint64_t end = end_.load(std::memory_order_relaxed); // as above
        return claim >> (2 * index_bits) == end >> end_bits && count_of(claim) == announced(end);
    }

    /// How many items were ever announced. Call with the mutex held.
    std::uint64_t pushed() const noexcept {
        return before_last_ + announced(end_.load(std::memory_order_relaxed)); // a moment's view
    }

private:
    struct slot {
        /// Protocol [Lane]: null while free; set (release) by the thread that announced it; then
        /// `is_used` (release) once the claimer has copied it, which retire() looks for (acquire)
        /// before it makes the slot free again.
        atomic<function> invoke{nullptr};
        void* payload = nullptr;
        const void* address = nullptr;
    };

public:
    static constexpr std::size_t block_alignment = 4096;
    static constexpr std::uint32_t group = 64, block_slots = 13 * group; // with `next` 20 KiB
    struct alignas(block_alignment) block {
        std::array<slot, block_slots> slots;
        block* next = nullptr;

        /// The slot of this index. Neighbours are filled, and taken, by several threads at the same
        /// time, so they stand apart: the slots that share a cache line are 15 indices from each
        /// other at least. A few indices too many give an address that can be fetched.
        slot* at(std::uint64_t index) noexcept {
            return slots.data() + (index / group * group + index * 47 % group);
        }
    };

private:
    static_assert(block_slots < 1024, "counts of slots fit into 10 bits");
    static constexpr int slots_ahead = 8; // 4 are too late; fewer than the 15 of at()
    static constexpr int tasks_ahead = 4; // the workers take them in turns

    /// Has the lines fetched that whoever takes next will write to, while there is a backlog. Not
    /// to be called for the last `tasks_ahead` slots of a block, nor after the slot was used.
    static void fetch_ahead(block& front, std::uint64_t index) noexcept {
        prefetch_to_write(front.at(index + slots_ahead));
        const slot& ahead = *front.at(index + tasks_ahead);
        // acquire: sees the slot's contents, as in read(). Nobody makes the slot free again before
        // ours is used; the task may be gone, but an address can be fetched without it.
        if (ahead.invoke.load(std::memory_order_acquire) == &is_task) {
            prefetch_to_write(ahead.payload);
        }
    }

    static block* block_of(std::uint64_t number) noexcept { // its address without 12 zero bits
        return reinterpret_cast<block*>(number << 12);
    }
    static std::uint64_t number_of(const block* b) noexcept {
        return reinterpret_cast<std::uintptr_t>(b) >> 12;
    }

    // The claim word: the block's number (36 bits), how many of its slots may be claimed (14), the
    // next to be claimed (14).
    static constexpr int index_bits = 14;
    static constexpr std::uint64_t index_mask = (1u << index_bits) - 1;
    static std::uint64_t pack(const block* b, std::uint64_t count, std::uint64_t next) noexcept {
        return number_of(b) << (2 * index_bits) | count << index_bits | next;
    }
    static std::uint64_t count_of(std::uint64_t claim) noexcept {
        return claim >> index_bits & index_mask;
    }
    static std::int64_t left(std::uint64_t claim) noexcept {
        return static_cast<std::int64_t>(count_of(claim)) -
               static_cast<std::int64_t>(claim & index_mask);
    }

    // The end word: the last block's number (36 bits), the wake flag (1), 1 more than the number
    // of its slots that were announced when the lane was closed, or 0 (11), the next slot to be
    // announced (15; from block_slots on there is no room).
    static constexpr int end_bits = 28, end_index_bits = 15;
    static constexpr std::uint64_t end_index_mask = (1u << end_index_bits) - 1,
                                   stop_unit = 1u << end_index_bits, stop_mask = 2047,
                                   wake_bit = 1u << 27;
    static std::uint64_t announced(std::uint64_t end) noexcept {
        const std::uint64_t stop = end >> end_index_bits & stop_mask;
        return stop ? stop - 1 : std::min<std::uint64_t>(end & end_index_mask, block_slots);
    }

    static void is_task(void*, const void*) {}
    static void is_used(void*, const void*) {}
    static function await_filled(slot& s) noexcept;

    /// Blocks that all slots were claimed from: those for the next use, and those of which a slot
    /// had not been copied yet when last looked at. Guarded by a mutex of their own, which is taken
    /// twice a block.
    class used_blocks {
    public:
        ~used_blocks();
        block* take() noexcept;         ///< one with all its slots free, or null
        block* take_late() noexcept;    ///< all that were late, as a list
        void put(block* free) noexcept; ///< keeps it, or frees it if there are enough
        void put_late(block* late) noexcept;

    private:
        static constexpr int most = 50; // 1 MB
        light_mutex mutex_;
        block* free_ = nullptr;
        block* late_ = nullptr;
        int count_ = 0; ///< of those in free_
    };
    block* fresh_block();

    /// Protocol [Lane]: announced to by fetch_add from anywhere; a block is added, the lane closed
    /// and the wake flag changed under the mutex.
    alignas(64) atomic<std::uint64_t> end_{stop_unit | block_slots};
    /// Protocol [Lane]: claimed from by fetch_add from anywhere; replaced under the mutex, only
    /// when all that it speaks of has been claimed.
    alignas(64) atomic<std::uint64_t> claim_{0};
    block* front_ = nullptr;        ///< the block that claim_ speaks of
    block* last_ = nullptr;         ///< the block that end_ speaks of
    std::uint64_t before_last_ = 0; ///< slots in the blocks before it, ever
    used_blocks used_;
};

} // namespace heddle::detail
