#include "../core/context.hpp"
#include "event_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace heddle::detail {

namespace {

/// A loop that sleeps in a task of a pool may wait for another task of it.
class stand_in {
public:
    stand_in() noexcept {
        if (!this_thread.host) return;
        try {
            section_.emplace(std::span<task* const>(), true, deadline::never());
        } catch (...) { // no thread to be had: others have to end first
        }
    }

private:
    std::optional<blocking_section> section_;
};

} // namespace

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

mailbox::~mailbox() {
    if (wake_ >= 0) ::close(wake_);
}

int mailbox::wake_descriptor() {
    if (wake_ < 0) wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd of a loop");
    return wake_;
}

// Also in a signal handler.
void mailbox::wake() noexcept {
    const std::uint32_t found = word_.exchange(awake);
    if (found == asleep) futex_wake(&word_, 1);
    if (found == in_reactor) eventfd_write(wake_, 1);
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

void mailbox::wait(deadline limit, reactor* where) noexcept {
    if (!where) {
        if (limit.passed()) return;
        // As every wait for another thread: what is asked of a warm pool comes at once.
        // relaxed: a hint, as in take_interrupt().
        if (spin_until(
                [this] { return has_mail() || interrupted_.load(std::memory_order_relaxed); })) {
            return;
        }
    }
    const stand_in in_my_place;
    {
        std::lock_guard lock(mutex_);
        if (first_) return;
        word_ = where ? in_reactor : asleep;
    }
    if (!interrupted_) where ? where->run(limit) : futex_wait(word_, asleep, limit);
    word_ = awake;
}

} // namespace heddle::detail
