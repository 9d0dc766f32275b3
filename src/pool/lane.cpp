#include "lane.hpp"

#include <heddle/detail/parking.hpp>

#include <sched.h>

#include <new>
#include <utility>

namespace heddle::detail {

lane::~lane() {
    while (front_) delete std::exchange(front_, front_->next);
    // relaxed: the pool's threads have ended.
    delete spare_.load(std::memory_order_relaxed);
}

lane::block* lane::fresh_block() {
    // acquire: the block's slots are free; pairs with the release in retire().
    if (block* kept = spare_.exchange(nullptr, std::memory_order_acquire)) {
        kept->next = nullptr;
        return kept;
    }
    return new block;
}

void lane::forget_attempts() noexcept {
    // relaxed: there is no room before and after, so those who attempt at this moment fail anyway.
    const std::uint64_t index = end_.load(std::memory_order_relaxed) & end_index_mask;
    if (index > block_slots) end_.fetch_sub(index - block_slots, std::memory_order_relaxed);
}

bool lane::push_locked(const work& item) {
    // Another thread may have made room meanwhile.
    if (const place p = announce(); p.where) {
        fill(*p.where, item);
        return p.wake;
    }
    block* const added = fresh_block();
    fill(added->slots[0], item);
    if (last_) {
        before_last_ += block_slots;
        last_->next = added;
    } else {
        front_ = added;
        // relaxed: nothing can be claimed yet, and what can be is published by claim_locked().
        claim_.store(pack(added, 0, 0), std::memory_order_relaxed);
    }
    last_ = added;
    // Nobody but us changes more than the index, and attempts on a full block are void.
    const std::uint64_t wake = end_.load(std::memory_order_relaxed) & wake_bit; // as above
    // release: publishes the block; pairs with the acquire in announce().
    end_.store(number_of(added) << end_bits | wake | 1, std::memory_order_release);
    return wake != 0;
}

void lane::close() noexcept {
    std::uint64_t end = end_.load(std::memory_order_relaxed); // checked by the exchange
    std::uint64_t closed = 0;
    do {
        closed = (end & ~(stop_mask << end_index_bits | end_index_mask)) |
                 (announced(end) + 1) << end_index_bits | block_slots;
        // relaxed: as in set_wake().
    } while (!end_.compare_exchange_weak(end, closed, std::memory_order_relaxed));
}

std::uint64_t lane::claim_locked(block*& retired) noexcept {
    // relaxed: replaced under the mutex only. What can be claimed without it, is.
    std::uint64_t claim = claim_.load(std::memory_order_relaxed);
    if (left(claim) > 0) {
        claim = claim_.fetch_add(1, std::memory_order_relaxed); // as above
        if (left(claim) > 0) return claim;
    }
    if (!front_) return 0;
    std::uint64_t first = count_of(claim);
    if (first == block_slots) {
        if (!front_->next) return 0;
        retired = std::exchange(front_, front_->next);
        first = 0;
    }
    // relaxed: a slot says itself when it is filled.
    const std::uint64_t known =
        front_ == last_ ? announced(end_.load(std::memory_order_relaxed)) : block_slots;
    const bool found = first < known;
    // release: publishes the block; pairs with the acquire in take().
    claim_.store(pack(front_, known, first + (found ? 1 : 0)), std::memory_order_release);
    return found ? pack(front_, known, first) : 0;
}

lane::function lane::await_filled(slot& s) noexcept {
    for (int tries = 0;; ++tries) {
        // acquire: as in read().
        if (const auto invoke = s.invoke.load(std::memory_order_acquire)) return invoke;
        if (tries < 64) pause();
        else sched_yield(); // the thread may have been preempted
    }
}

void lane::retire(block* retired) noexcept {
    if (!retired) return;
    // Claimers may still be copying. The block is used again, or freed, only when all have done.
    for (slot& s : retired->slots) {
        // acquire: pairs with the release in read().
        while (s.invoke.load(std::memory_order_acquire) != &is_used) sched_yield();
        s.invoke.store(nullptr, std::memory_order_relaxed); // published by the exchange below
    }
    // acq_rel: publishes the free slots, and sees those of the block that is deleted; pairs with
    // the acquire in fresh_block() and with itself.
    delete spare_.exchange(retired, std::memory_order_acq_rel);
}

} // namespace heddle::detail
