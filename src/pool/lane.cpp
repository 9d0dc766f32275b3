#include "lane.hpp"

#include <heddle/detail/parking.hpp>

#include <sched.h>

#include <new>
#include <utility>

namespace heddle::detail {

namespace {
void delete_all(lane::block* first) noexcept {
    while (first) delete std::exchange(first, first->next);
}
} // namespace

lane::~lane() {
    delete_all(front_);
}

lane::used_blocks::~used_blocks() {
    delete_all(free_);
    delete_all(late_);
}

lane::block* lane::used_blocks::take() noexcept {
    const std::lock_guard lock(mutex_);
    if (free_) --count_;
    return free_ ? std::exchange(free_, free_->next) : nullptr;
}

lane::block* lane::used_blocks::take_late() noexcept {
    const std::lock_guard lock(mutex_);
    return std::exchange(late_, nullptr);
}

void lane::used_blocks::put(block* free) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (count_ < most) {
            ++count_;
            free->next = std::exchange(free_, free);
            return;
        }
    }
    delete free;
}

void lane::used_blocks::put_late(block* late) noexcept {
    const std::lock_guard lock(mutex_);
    late->next = std::exchange(late_, late);
}

lane::block* lane::fresh_block() {
    if (block* const kept = used_.take()) {
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
    fill(*added->at(0), item);
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
    // A claimer may still be copying, and have lost its core for milliseconds. Whoever retires has
    // claimed an item, so it must not wait: such a block is looked at again with the next one.
    retired->next = used_.take_late();
    for (block *b = retired, *next = nullptr; b; b = next) {
        next = b->next; // put() gives it another one
        const bool all_used = std::ranges::all_of(b->slots, [](const slot& s) {
            // acquire: pairs with the release in read().
            return s.invoke.load(std::memory_order_acquire) == &is_used;
        });
        if (!all_used) {
            used_.put_late(b);
            continue;
        }
        // relaxed: published by the mutex of used_.
        for (slot& s : b->slots) s.invoke.store(nullptr, std::memory_order_relaxed);
        used_.put(b);
    }
}

} // namespace heddle::detail
