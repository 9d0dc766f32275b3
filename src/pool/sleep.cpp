/// Who sleeps, who is woken, and when it is all over. Waking a sleeping thread costs more than
/// anything else a pool does, so at most one worker is on its way at any time, and it wakes the
/// next one if it finds more than it can do.
#include "pool.hpp"

#include <heddle/failure.hpp>

#include <cstdio>

namespace heddle::detail {

pool::wake_up pool::choose_wake_up() noexcept {
    if (searching_ || awake_ >= max_workers_ || finished_) return {};
    searching_ = true;
    ++awake_;
    wake_up chosen;
    chosen.sleeper = sleepers_;
    if (sleepers_) {
        sleepers_ = sleepers_->next_sleeper_;
        chosen.sleeper->asleep_ = false;
    } else {
        chosen.new_thread = true;
    }
    update_hints();
    return chosen;
}

void pool::carry_out(const wake_up& chosen) {
    if (chosen.sleeper) {
        // release: what we did under the mutex comes before; pairs with the acquire in park().
        chosen.sleeper->woken_.store(1, std::memory_order_release);
        futex_wake(&chosen.sleeper->woken_, 1);
    } else if (chosen.new_thread) {
        try {
            add_thread(true);
        } catch (...) {
            // No thread to be had now. Those that block will go on some day; work stays queued.
            std::lock_guard lock(mutex_);
            searching_ = false;
            --awake_;
            update_hints();
        }
    }
}

void pool::update_hints() noexcept {
    const bool wakeable = !searching_ && awake_ < max_workers_;
    const bool surplus = awake_ > max_workers_;
    // relaxed reads: written with mutex_ held only. The store is the rare side of [Nested].
    if (wakeable_.load(std::memory_order_relaxed) != wakeable) {
        wakeable_.store(wakeable, std::memory_order_seq_cst);
        lane_.set_wake(wakeable); // [Lane]
    }
    // relaxed: as above.
    if (surplus_.load(std::memory_order_relaxed) != surplus) {
        surplus_.store(surplus, std::memory_order_relaxed); // a hint
    }
}

bool pool::finish_if_idle(lock_type& lock) noexcept {
    // With nobody awake or blocked nothing can be added, and the deques stand still.
    if (!shut_down_ || finished_ || awake_ != 0 || blocked_ != 0 || work_visible()) {
        return finished_;
    }
    finished_ = true;
    worker* w = std::exchange(sleepers_, nullptr);
    for (worker* each = w; each; each = each->next_sleeper_) each->asleep_ = false;
    lock.unlock();
    while (w) {
        worker* const next = w->next_sleeper_;
        // release: as in carry_out(). The pool lives until all its threads have left.
        w->woken_.store(1, std::memory_order_release);
        futex_wake(&w->woken_, 1);
        w = next;
    }
    lock.lock();
    return true;
}

bool worker::idle(bool searching, work& into) {
    for (;;) {
        if (searching) {
            if (search(into)) {
                stop_searching();
                return true;
            }
            pool::lock_type lock(pool_.mutex_);
            pool_.searching_ = false;
            searching = sleep(std::move(lock));
        } else {
            pool::lock_type lock(pool_.mutex_);
            if (pool_.finished_) return false;
            if (pool_.awake_ <= pool_.max_workers_ && take_token()) {
                searching = true;
                continue;
            }
            searching = sleep(std::move(lock));
        }
        if (searching) continue;
        // Not asleep, since there is work to be seen, but somebody else searches. Waiting for it
        // would burn a core that it may need. It will look whether there is more than we take.
        if (find(into)) return true;
    }
}

/// Ends a search that found something. Others may have pushed meanwhile and not woken anybody,
/// because we were searching: so look once more, and wake the next one if there is work for it.
void worker::stop_searching() {
    pool::lock_type lock(pool_.mutex_);
    pool_.searching_ = false;
    pool_.update_hints();
    const bool room_for_more = pool_.awake_ < pool_.max_workers_;
    const bool others_may_push = pool_.awake_ > 1;
    if (!room_for_more) return;
    if (others_may_push) {
        lock.unlock();
        heavy_barrier(); // [Nested]
        lock.lock();
    }
    pool::wake_up next{};
    if (pool_.work_visible()) next = pool_.choose_wake_up();
    lock.unlock();
    pool_.carry_out(next);
}

/// Goes to sleep unless there is work after all; true if it has to search: it was woken, or there
/// is work and nobody else searches. (Who pushed that work saw a searcher, and woke nobody. So it
/// is not enough to take a piece of it: whoever does must see to the rest.)
bool worker::sleep(pool::lock_type lock) {
    if (pool_.finished_) {
        pool_.update_hints();
        return false;
    }
    const bool surplus = pool_.awake_ > pool_.max_workers_;
    if (!surplus && pool_.work_visible()) return take_token();
    // relaxed: published with the mutex.
    woken_.store(0, std::memory_order_relaxed);
    next_sleeper_ = std::exchange(pool_.sleepers_, this);
    asleep_ = true;
    --pool_.awake_;
    pool_.update_hints();
    // [Lane] Whoever pushes from outside either sees that we can be woken, or we see its item.
    if (!surplus && !pool_.lane_.looks_empty()) {
        stay_awake();
        return take_token();
    }
    lock.unlock();
    // [Nested] The same for whoever pushes to its own deque.
    heavy_barrier();
    if (!surplus && pool_.work_visible()) {
        lock.lock();
        if (asleep_) {
            stay_awake();
            return take_token();
        }
        lock.unlock();
    } else {
        lock.lock();
        pool_.finish_if_idle(lock);
        lock.unlock();
    }
    park();
    lock.lock();
    return pool_.searching_ && !pool_.finished_;
}

/// Becomes the searcher, unless somebody else is. With the mutex held.
bool worker::take_token() noexcept {
    const bool taken = !std::exchange(pool_.searching_, true);
    pool_.update_hints();
    return taken;
}

/// Takes this worker, which has not slept yet, out of the sleepers. With the mutex held.
void worker::stay_awake() noexcept {
    worker** link = &pool_.sleepers_;
    while (*link != this) link = &(*link)->next_sleeper_;
    *link = next_sleeper_;
    asleep_ = false;
    ++pool_.awake_;
    pool_.update_hints();
}

void worker::park() noexcept {
    // acquire: pairs with the release in carry_out().
    while (woken_.load(std::memory_order_acquire) == 0) {
        futex_wait(woken_, 0, deadline::never());
    }
}

void worker::blocking() {
    bool outside = false;
    {
        std::lock_guard lock(pool_.mutex_);
        ++pool_.blocked_;
        --pool_.awake_;
        pool_.update_hints();
        outside = !pool_.lane_.looks_empty(); // [Lane] as in sleep()
    }
    heavy_barrier(); // [Nested] as in sleep(): a push has to wake somebody in our place now
    if (!outside && !pool_.work_visible()) return;
    pool::wake_up stand_in{};
    {
        std::lock_guard lock(pool_.mutex_);
        stand_in = pool_.choose_wake_up();
    }
    pool_.carry_out(stand_in);
}

void worker::unblocked() noexcept {
    std::lock_guard lock(pool_.mutex_);
    --pool_.blocked_;
    ++pool_.awake_;
    pool_.update_hints();
}

} // namespace heddle::detail
