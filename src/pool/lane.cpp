#include "lane.hpp"

#include <sched.h>

#include <algorithm>
#include <new>
#include <utility>

namespace heddle::detail {

lane::~lane() {
    delete front_;
    delete open_;
    // relaxed: the pool's threads have ended.
    delete spare_.load(std::memory_order_relaxed);
    while (sealed_first_) delete std::exchange(sealed_first_, sealed_first_->next);
}

lane::block* lane::fresh_block() {
    // acq_rel: the last user's writes come before ours; pairs with retire().
    if (block* kept = spare_.exchange(nullptr, std::memory_order_acq_rel)) {
        kept->count = 0;
        kept->next = nullptr;
        return kept;
    }
    return new block;
}

void lane::push(const work& item) {
    if (!open_) open_ = fresh_block();
    if (open_->count == block_slots) {
        block* const next = fresh_block();
        (sealed_last_ ? sealed_last_->next : sealed_first_) = open_;
        sealed_last_ = open_;
        open_ = next;
    }
    slot& s = open_->slots[open_->count];
    s.payload = item.whole ? static_cast<void*>(item.whole) : item.call.payload;
    s.address = item.call.address;
    // relaxed: published with the block, by the release in take_locked().
    s.invoke.store(item.whole ? &is_task : item.call.invoke, std::memory_order_relaxed);
    if (open_->count++ == 0) {
        // relaxed: a hint for looks_empty(); written under the mutex only.
        queued_blocks_.store(queued_blocks_.load(std::memory_order_relaxed) + 1,
                             std::memory_order_relaxed);
    }
}

work lane::take_locked(block*& retired) noexcept {
    if (work item = take()) return item;
    block* next = sealed_first_;
    if (next) {
        sealed_first_ = next->next;
        if (!sealed_first_) sealed_last_ = nullptr;
    } else if (open_ && open_->count > 0) {
        next = std::exchange(open_, nullptr);
    } else {
        return {};
    }
    // relaxed: as in push().
    queued_blocks_.store(queued_blocks_.load(std::memory_order_relaxed) - 1,
                         std::memory_order_relaxed);
    retired = std::exchange(front_, next);
    // release: publishes the slots; pairs with the acquire in take(). We take the first ourselves.
    claim_.store(pack(next, next->count, 1), std::memory_order_release);
    return read(pack(next, next->count, 0));
}

void lane::retire(block* retired) noexcept {
    if (!retired) return;
    // Claimers may still be copying. The block is used again, or freed, only when all have done.
    for (std::uint32_t i = 0; i < retired->count; ++i) {
        // acquire: pairs with the release in read().
        while (retired->slots[i].invoke.load(std::memory_order_acquire)) sched_yield();
    }
    // acq_rel: pairs with fresh_block().
    delete spare_.exchange(retired, std::memory_order_acq_rel);
}

} // namespace heddle::detail
