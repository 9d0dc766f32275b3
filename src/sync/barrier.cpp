#include <heddle/barrier.hpp>
#include <heddle/error.hpp>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace heddle {

barrier::barrier(int parties, std::function<void()> action)
    : parties_(parties), action_(std::move(action)) {
    if (parties < 1) {
        throw std::invalid_argument("barrier: the number of parties is " + std::to_string(parties) +
                                    ", but must be at least 1");
    }
}

int barrier::wait_until(detail::deadline limit) {
    lock_type lock(mutex_);
    // While the action of a round runs, that round is complete: who comes now belongs to the next
    // one, and who times out now is released all the same.
    const auto no_action = [&] { return phase_ != phase::in_action; };
    changed_.wait(lock, detail::deadline::never(), no_action);
    if (phase_ == phase::broken) throw broken_barrier_error();
    party self;
    self.next = std::exchange(round_, &self);
    const int index = arrived_++;
    if (index + 1 == parties_) {
        complete(lock, self);
        return index;
    }
    const auto decided = [&] { return self.what != fate::waiting; };
    if (!changed_.wait(lock, limit, decided)) {
        if (no_action()) {
            finish_round(lock, fate::broken, phase::broken);
            throw timeout_error("barrier: the wait reached its time limit before all parties "
                                "came; the barrier is broken until it is reset");
        }
        changed_.wait(lock, detail::deadline::never(), decided);
    }
    if (self.what == fate::broken) throw broken_barrier_error();
    return index;
}

void barrier::complete(lock_type& lock, party& last) {
    if (action_) {
        phase_ = phase::in_action;
        lock.unlock();
        try {
            action_();
        } catch (...) {
            lock.lock();
            // If it was aborted or reset meanwhile, this round has been ended already.
            if (last.what == fate::waiting) finish_round(lock, fate::broken, phase::broken);
            throw;
        }
        lock.lock();
        if (last.what != fate::waiting) throw broken_barrier_error();
    }
    finish_round(lock, fate::passed, phase::filling);
}

void barrier::finish_round(lock_type& lock, fate what, phase next) noexcept {
    // A party may be gone once its fate is set and the lock is released, not before.
    for (party* p = round_; p; p = p->next) p->what = what;
    round_ = nullptr;
    arrived_ = 0;
    phase_ = next;
    changed_.notify_all(lock);
}

void barrier::abort() noexcept {
    lock_type lock(mutex_);
    finish_round(lock, fate::broken, phase::broken);
}

void barrier::reset() noexcept {
    lock_type lock(mutex_);
    finish_round(lock, fate::broken, phase::filling);
}

bool barrier::broken() const noexcept {
    std::lock_guard lock(mutex_);
    return phase_ == phase::broken;
}

} // namespace heddle
