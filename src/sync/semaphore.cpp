#include <heddle/error.hpp>
#include <heddle/semaphore.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace heddle {

bounded_semaphore::bounded_semaphore(std::ptrdiff_t permits) : bound_(permits), free_(permits) {
    if (permits < 0) {
        throw std::invalid_argument("bounded_semaphore: the number of permits is " +
                                    std::to_string(permits) + ", but must be in 0.." +
                                    std::to_string(PTRDIFF_MAX));
    }
}

bool bounded_semaphore::try_acquire() noexcept {
    detail::wait_list::lock_type lock(mutex_);
    if (free_ == 0) return false;
    --free_;
    return true;
}

bool bounded_semaphore::acquire_until(detail::deadline limit) noexcept {
    detail::wait_list::lock_type lock(mutex_);
    if (!waiters_.wait(lock, limit, [&] { return free_ != 0; })) return false;
    --free_;
    // release() wakes one waiter, and each one woken wakes the next while permits are left. So
    // while there are both permits and sleepers, one who was woken has not looked yet.
    if (free_ != 0 && !waiters_.empty()) waiters_.notify_one(lock);
    return true;
}

void bounded_semaphore::release(std::ptrdiff_t n) {
    if (n < 1) {
        throw std::invalid_argument("bounded_semaphore::release: n is " + std::to_string(n) +
                                    ", but must be at least 1");
    }
    detail::wait_list::lock_type lock(mutex_);
    if (n > bound_ - free_) {
        const std::ptrdiff_t taken = bound_ - free_;
        lock.unlock();
        throw invalid_state_error("bounded_semaphore::release: " + std::to_string(n) +
                                  " given back, but only " + std::to_string(taken) + " of " +
                                  std::to_string(bound_) +
                                  " permits are taken; release once for each acquire");
    }
    free_ += n;
    waiters_.notify_one(lock);
}

} // namespace heddle
