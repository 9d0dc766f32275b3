#include "event_loop.hpp"

#include <mutex>
#include <utility>

namespace heddle::detail {

bool post(mailbox& to, mail& m) noexcept {
    return to.post(m);
}

bool mailbox::post(mail& m) noexcept {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    m.next = nullptr;
    (last_ ? last_->next : first_) = &m;
    last_ = &m;
    // release: pairs with the acquire in has_mail().
    any_.store(true, std::memory_order_release);
    // The loop cannot take the mail, act on it and be gone before we let go of the mutex.
    wake();
    return true;
}

void mailbox::wake() noexcept {
    if (word_.exchange(awake) == asleep) futex_wake(&word_, 1);
}

void mailbox::interrupt() noexcept {
    interrupted_ = true;
    wake();
}

mail* mailbox::take_locked() noexcept {
    // relaxed: a hint that the mutex keeps in step.
    any_.store(false, std::memory_order_relaxed);
    last_ = nullptr;
    return std::exchange(first_, nullptr);
}

mail* mailbox::take() noexcept {
    std::lock_guard lock(mutex_);
    return take_locked();
}

mail* mailbox::close() noexcept {
    std::lock_guard lock(mutex_);
    closed_ = true;
    return take_locked();
}

void mailbox::wait(deadline limit) noexcept {
    if (limit.passed()) return;
    {
        std::lock_guard lock(mutex_);
        if (first_) return;
        word_ = asleep;
    }
    if (!interrupted_) futex_wait(word_, asleep, limit);
    word_ = awake;
}

} // namespace heddle::detail
