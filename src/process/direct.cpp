/// The short way: a thread that waits for a call takes its answer from the slot itself, so that
/// two processes take turns and the supervisor sleeps on.
#include "local_workers.hpp"

#include <utility>

namespace heddle::detail {

/// Where the call is, if a worker has been sent it and nobody has taken its answer; with `alone`
/// only if it is all that this worker has, which is found sooner.
local_workers::place local_workers::find(const call_id& id, bool alone) noexcept {
    for (const auto& w : workers_) {
        if (alone && w->sent.size() != 1) continue;
        for (auto s = w->sent.begin(); s != w->sent.end(); ++s) {
            if (s->id == id && !s->taken_back) return {w.get(), s};
        }
    }
    return {};
}

/// Takes turns with the worker while this is the only call that it has: with more on their way it
/// is cheaper to take many answers at once, as the supervisor does.
void local_workers::fetch(const call_id& id) noexcept {
    std::unique_lock lock(mutex_);
    for (place at = find(id, true); at.of && at.call->started; at = find(id, false)) {
        claims::slot& slot = at.of->page().of(at.call->ticket);
        if (at.of->sent.size() == 1) slot.note_watcher();
        if (slot.state.load() == claims::answered) return settle_here(lock, at);
        if (at.of->sent.size() != 1) return;
        // The worker may be buried while we sleep, but not what we sleep on.
        const std::shared_ptr<const shared_memory> keep = at.of->process.shared;
        lock.unlock();
        slot.watch();
        lock.lock();
    }
}

/// Whoever takes a call out of `sent`, with the lock, settles it: exactly one does.
void local_workers::settle_here(std::unique_lock<std::mutex>& lock, const place& at) noexcept {
    note news;
    try {
        news = answer_of(*at.of, *at.call);
    } catch (...) { // no memory: nothing has changed, so let the supervisor do it
        return wake();
    }
    at.of->sent.erase(at.call);
    at.of->page().fetched.store(true, std::memory_order_relaxed); // a hint
    const bool leaves = used_up(*at.of);
    let_go_on(*at.of);
    ++settling_; // keeps the pool from ending
    lock.unlock();
    const bool told = client_.ended_untold(news.what, news.how);
    lock.lock();
    --settling_;
    if (!told || closed_ || leaves) wake();
    if (told) return;
    try {
        notes_.push_back(std::move(news));
    } catch (...) { // no memory: late on the wrong thread is better than never
        lock.unlock();
        client_.ended(std::move(news.what), std::move(news.how));
    }
}

/// A worker has one call less: what waits for it may go there.
void local_workers::let_go_on(local_worker& w) noexcept {
    try {
        forget_taken_back(w);
        start_next(w);
        if (queue_.empty() && workers_.size() == 1) return;
        if (dispatch() && wanted_workers() == 0) return;
    } catch (...) { // no memory; the supervisor tries again, and knows what to do if that fails
    }
    wake();
}

} // namespace heddle::detail
