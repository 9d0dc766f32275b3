/// How a worker finds its next piece of work, in this order: tasks of raised priority, its own
/// newest task, the oldest task from outside, another worker's oldest task, tasks of lowered
/// priority.
#include "pool.hpp"

namespace heddle::detail {

bool worker::find(work& into) {
    // relaxed: a hint; take_ranked() locks.
    if (pool_.urgent_.load(std::memory_order_relaxed) != 0) {
        if (pool_.take_ranked(true, into)) return true;
    }
    // A worker that keeps feeding itself must not starve those outside for ever.
    constexpr std::uint32_t fairness_interval = 61;
    if (++ticks_ % fairness_interval == 0) {
        if (pool_.take_outside(into)) return true;
    }
    into.whole = deque_.pop();
    if (into.whole) return true;
    if (pool_.take_outside(into)) return true;
    into.whole = pool_.steal(this);
    if (into.whole) return true;
    return pool_.background_.load(std::memory_order_relaxed) != 0 && // as above
           pool_.take_ranked(false, into);
}

bool worker::search(work& into) {
    if (find(into)) return true;
    if (!spinning_helps() || !spinning_.worthwhile()) return false;
    // Work often follows work, and waking a sleeper costs tens of microseconds, to it and to
    // whoever wakes it. So we search for about as long: then even a submitter that slept for the
    // result of its last task is back in time. No yielding: it could take milliseconds, while
    // submitters rely on this search. The first look comes late, so that a producer that is slower
    // than we are has its cache lines to itself for a moment, and we find several items at once;
    // then often, since somebody may be waiting for each.
    constexpr int first_pauses = 4;
    for (int i = 1; i < first_pauses; ++i) pause();
    for (spin_limit limit(std::chrono::microseconds(50)); !limit.reached();) {
        pause();
        if (!pool_.work_visible()) continue;
        if (find(into)) {
            spinning_.note(true);
            return true;
        }
    }
    spinning_.note(false);
    return false;
}

bool pool::take_outside(work& into) noexcept {
    if (lane_.take(into)) return true;
    if (lane_.looks_empty()) return false;
    lane::block* retired = nullptr;
    std::uint64_t claimed = 0;
    {
        std::lock_guard lock(mutex_);
        claimed = lane_.claim_locked(retired);
    }
    lane_.retire(retired);
    return lane::read(claimed, into);
}

bool pool::take_ranked(bool above_normal, work& into) noexcept {
    std::lock_guard lock(mutex_);
    if (ranked_.empty()) return false;
    const auto best = above_normal ? ranked_.begin() : std::prev(ranked_.end());
    if (above_normal != (best->first > 0)) return false;
    // Among those not above normal the highest comes first as well.
    const auto chosen = above_normal ? best : ranked_.lower_bound(0);
    into.whole = chosen->second.front();
    chosen->second.pop_front();
    if (chosen->second.empty()) ranked_.erase(chosen);
    atomic<int>& count = above_normal ? urgent_ : background_;
    // relaxed: a hint, written with mutex_ held.
    count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    return true;
}

task* pool::steal(const worker* thief) noexcept {
    // acquire: sees the worker behind the pointer; pairs with the release in add_thread().
    worker* const first = all_workers_.load(std::memory_order_acquire);
    // Start behind the thief itself, so that thieves spread over their victims.
    worker* const start = thief && thief->next_ ? thief->next_ : first;
    worker* victim = start;
    do {
        if (!victim->deque_.looks_empty()) {
            if (task* t = victim->deque_.steal()) return t;
        }
        victim = victim->next_ ? victim->next_ : first;
    } while (victim != start);
    return nullptr;
}

bool pool::deques_look_empty() const noexcept {
    // acquire: as in steal().
    for (const worker* w = all_workers_.load(std::memory_order_acquire); w; w = w->next_) {
        if (!w->deque_.looks_empty()) return false;
    }
    return true;
}

bool pool::work_visible() const noexcept {
    // relaxed: hints.
    return !lane_.looks_empty() || urgent_.load(std::memory_order_relaxed) != 0 ||
           background_.load(std::memory_order_relaxed) != 0 || !deques_look_empty();
}

void pool::drain(void (*end)(pool&, work&)) {
    for (;;) {
        work item;
        bool found = take_outside(item) || take_ranked(true, item) || take_ranked(false, item);
        if (!found) found = (item.whole = steal(nullptr)) != nullptr;
        if (found) end(*this, item);
        else if (!work_visible()) return;
    }
}

} // namespace heddle::detail
