/// The queue for work from outside the pool: strictly first-in first-out, one read-modify-write to
/// take an item. The protocol and its proof are in src/pool/README.md [Lane].
#pragma once

#include <heddle/detail/task.hpp>

#include <array>
#include <atomic>
#include <cstdint>

namespace heddle::detail {

/// A small posted callable, kept in the queue itself: 8 bytes that are called and forgotten.
struct small_call {
    void (*invoke)(void* payload, const void* address) = nullptr;
    void* payload = nullptr; ///< the callable's bytes
    const void* address = nullptr;
};

/// One unit of work: a task, or a small call (then `call` is set and `whole` null).
struct work {
    task* whole = nullptr;
    small_call call{};
    explicit operator bool() const noexcept { return whole || call.invoke; }
};

class lane {
public:
    lane() = default;
    ~lane(); // must be empty
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;

    /// Adds at the end. Call with the pool's mutex held. Throws std::bad_alloc, unchanged.
    void push(const work& item);

    /// Takes the first item if the front block has one left; needs no mutex. When it returns
    /// nothing, there may still be items: see take_locked().
    work take() noexcept {
        // relaxed: a look before the leap, so that an empty lane is not written to.
        if (left(claim_.load(std::memory_order_relaxed)) <= 0) return {};
        // acquire: sees the block's slots; pairs with the release in take_locked().
        return read(claim_.fetch_add(1, std::memory_order_acquire));
    }
    /// Takes the first item, opening the next block if needed. Call with the mutex held.
    /// `retired` receives a block that is to be recycled or freed, by retire(), without it.
    struct block;
    work take_locked(block*& retired) noexcept;
    /// Frees `retired` (or keeps it) after take_locked(); null does nothing. Takes no mutex.
    void retire(block* retired) noexcept;

    /// A guess, for those who do not hold the mutex.
    bool looks_empty() const noexcept {
        // relaxed: a guess.
        return left(claim_.load(std::memory_order_relaxed)) <= 0 &&
               queued_blocks_.load(std::memory_order_relaxed) == 0;
    }

private:
    struct slot {
        /// Protocol [Lane]: null while free; set by the producer under the mutex, before the
        /// block is published; null again (release) once the claimer has copied the slot, which
        /// retire() waits for (acquire) before the block is used again.
        std::atomic<void (*)(void*, const void*)> invoke{nullptr};
        void* payload = nullptr;
        const void* address = nullptr;
    };

public:
    static constexpr std::size_t block_bytes = 16384, block_alignment = 4096;
    static constexpr std::uint32_t block_slots = (block_bytes - 64) / sizeof(slot);
    struct alignas(block_alignment) block {
        std::array<slot, block_slots> slots;
        block* next = nullptr;
        std::uint32_t count = 0; ///< slots filled
    };

private:
    static constexpr int index_bits = 14;
    static constexpr std::uint64_t index_mask = (1u << index_bits) - 1;

    /// The claim word: the block's address without its 12 zero bits (36 bits), how many slots it
    /// has filled (14), the next to be claimed (14).
    static std::uint64_t pack(const block* b, std::uint32_t count, std::uint32_t next) noexcept {
        return reinterpret_cast<std::uintptr_t>(b) >> 12 << (2 * index_bits) |
               std::uint64_t{count} << index_bits | next;
    }
    static std::int64_t left(std::uint64_t claim) noexcept {
        return static_cast<std::int64_t>(claim >> index_bits & index_mask) -
               static_cast<std::int64_t>(claim & index_mask);
    }
    static work read(std::uint64_t claimed) noexcept {
        if (left(claimed) <= 0) return {};
        auto* const b = reinterpret_cast<block*>(claimed >> (2 * index_bits) << 12);
        slot& s = b->slots[claimed & index_mask];
        work item;
        // relaxed: published with the block.
        const auto invoke = s.invoke.load(std::memory_order_relaxed);
        if (invoke == &is_task) item.whole = static_cast<task*>(s.payload);
        else item.call = {invoke, s.payload, s.address};
        // release: our reads come before the slot's next use; pairs with the acquire in retire().
        s.invoke.store(nullptr, std::memory_order_release);
        return item;
    }
    static void is_task(void*, const void*) {}

    block* fresh_block();

    /// Protocol [Lane]: claimed from by fetch_add from anywhere; replaced under the mutex, only
    /// when the front block is used up.
    alignas(64) std::atomic<std::uint64_t> claim_{0};
    block* front_ = nullptr; ///< the block that claim_ speaks of
    /// Protocol: sealed blocks plus the open one if it has items; written under the mutex.
    alignas(64) std::atomic<std::uint32_t> queued_blocks_{0};
    block* sealed_first_ = nullptr;
    block* sealed_last_ = nullptr;
    block* open_ = nullptr; ///< producers fill it
    /// Protocol: one used block kept for the next need; exchanged.
    std::atomic<block*> spare_{nullptr};
};

} // namespace heddle::detail
