/// A worker's own deque of tasks: the owner pushes and pops at the bottom, thieves steal at the
/// top. Chase and Lev, "Dynamic circular work-stealing deque", SPAA 2005, with the fence of `pop`
/// moved to the thief (asymmetric, by membarrier). The proof is in src/pool/README.md [Deque].
#pragma once

#include "asymmetric.hpp"

#include <heddle/detail/atomic.hpp>
#include <heddle/detail/task.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace heddle::detail {

/// Thread safety: push, pop and pop_if by the owner only; steal and looks_empty by anybody.
/// Lifetime: rings that were outgrown are kept until the end, since a thief may still read them.
class deque {
    struct ring {
        explicit ring(std::int64_t size)
            : mask(size - 1), slots(new slot[static_cast<std::size_t>(size)]) {}
        /// Protocol: a slot is written by the owner before `bottom_` passes it, read by a thief
        /// before it takes it by moving `top_`; a thief that loses throws away what it read.
        using slot = atomic<task*>;
        slot& at(std::int64_t i) const noexcept {
            return slots[static_cast<std::size_t>(i & mask)];
        }
        std::int64_t mask;
        std::unique_ptr<slot[]> slots;
    };

public:
    deque() : rings_() {
        rings_.push_back(std::make_unique<ring>(64));
        ring_.store(rings_.back().get(), std::memory_order_relaxed); // not shared yet
    }

    /// Throws std::bad_alloc, leaving the deque as it was.
    void push(task* t) {
        // relaxed: only the owner writes bottom_ and ring_.
        const std::int64_t b = bottom_.load(std::memory_order_relaxed);
        ring* r = ring_.load(std::memory_order_relaxed); // as above
        if (b - known_top_ > r->mask) {
            // acquire: a slot is reused only after the thief that took it has read it; pairs with
            // the release in steal().
            known_top_ = top_.load(std::memory_order_acquire);
            if (b - known_top_ > r->mask) r = grow(r, known_top_, b);
        }
        r->at(b).store(t, std::memory_order_relaxed); // published by bottom_
        // release: publishes the slot and the task; pairs with the acquire in steal().
        store_light(bottom_, b + 1);
    }
    /// The same where that is a few instructions; false if it is not, and nothing was done.
    bool push_quickly(task* t) noexcept {
        // relaxed: as in push().
        const std::int64_t b = bottom_.load(std::memory_order_relaxed);
        const ring* const r = ring_.load(std::memory_order_relaxed);
        if (!asymmetric_barriers || b - known_top_ > r->mask) return false;
        r->at(b).store(t, std::memory_order_relaxed); // as in push(), as is what follows
        store_light<true>(bottom_, b + 1);
        return true;
    }

    /// Takes the newest task, or null.
    task* pop() noexcept {
        // relaxed: written by this thread, as in push().
        const std::int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
        if (!(asymmetric_barriers ? take_last_as<true>(b) : take_last_in_order(b))) return nullptr;
        return ring_.load(std::memory_order_relaxed)->at(b).load(std::memory_order_relaxed);
    }

    /// Takes the newest task if it is `t`; true if it did.
    bool pop_if(const task* t) noexcept {
        return asymmetric_barriers ? pop_if_as<true>(t) : pop_if_in_order(t);
    }

    /// Takes the oldest task, or null if there is none or another thief was faster.
    task* steal() noexcept {
        // acquire: pairs with the release of the thief before; orders the loads below.
        std::int64_t t = top_.load(std::memory_order_acquire);
        heavy_barrier();
        // acquire: sees the slots below bottom_; pairs with the release in push().
        const std::int64_t b = load_light(bottom_);
        if (t >= b) return nullptr;
        // acquire: sees the ring's contents; pairs with the release in grow().
        task* const taken =
            ring_.load(std::memory_order_acquire)->at(t).load(std::memory_order_relaxed);
        // seq_cst: as in pop().
        if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst)) return nullptr;
        return taken;
    }

    /// A guess, without any barrier.
    bool looks_empty() const noexcept {
        // relaxed: a guess.
        return bottom_.load(std::memory_order_relaxed) <= top_.load(std::memory_order_relaxed);
    }

private:
    // Apart, so that the usual ways have no calls in them and keep nothing on the stack.
    [[gnu::noinline]] bool take_last_in_order(std::int64_t b) noexcept {
        return take_last_as<false>(b);
    }
    [[gnu::noinline]] bool pop_if_in_order(const task* t) noexcept { return pop_if_as<false>(t); }

    template <bool Light>
    bool pop_if_as(const task* t) noexcept {
        // relaxed: as in pop(). Where the deque is empty, the slot may still hold `t`.
        const std::int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
        const ring* const r = ring_.load(std::memory_order_relaxed);
        return r->at(b).load(std::memory_order_relaxed) == t && take_last_as<Light>(b);
    }
    /// Takes the task in slot `b`, the last one, from thieves; false if there is none (any more).
    template <bool Light>
    bool take_last_as(std::int64_t b) noexcept {
        store_light<Light>(bottom_, b);
        light_barrier();
        std::int64_t t = load_light<Light>(top_);
        if (t < b) [[likely]]
            return true;
        bool won = false;
        if (t == b) {
            // seq_cst: the last one; whoever moves top_ first has it.
            if constexpr (Light) won = top_.untold().compare_exchange_strong(t, t + 1);
            else won = top_.compare_exchange_strong(t, t + 1);
        }
        bottom_.store(b + 1, std::memory_order_relaxed); // empty, whoever has it
        return won;
    }

    ring* grow(ring* old, std::int64_t top, std::int64_t bottom) {
        auto bigger = std::make_unique<ring>(2 * (old->mask + 1));
        rings_.reserve(rings_.size() + 1);
        for (std::int64_t i = top; i < bottom; ++i) {
            // relaxed: published with the ring below.
            bigger->at(i).store(old->at(i).load(std::memory_order_relaxed),
                                std::memory_order_relaxed);
        }
        rings_.push_back(std::move(bigger));
        // release: publishes the copies; pairs with the acquire in steal().
        ring_.store(rings_.back().get(), std::memory_order_release);
        return rings_.back().get();
    }

    /// Protocol [Deque]: the index of the oldest task; moved only by compare-exchange.
    alignas(64) atomic<std::int64_t> top_{0};
    /// Protocol [Deque]: one past the newest task; written by the owner only.
    alignas(64) atomic<std::int64_t> bottom_{0};
    std::int64_t known_top_ = 0; ///< the owner's last look at top_, so that push need not look
    /// Protocol [Deque]: the ring in use; written by the owner only, in grow().
    atomic<ring*> ring_{nullptr};
    std::vector<std::unique_ptr<ring>> rings_; ///< the owner's own
};

} // namespace heddle::detail
