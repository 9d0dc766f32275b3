/// How processes exclude and wake each other, so that none that dies can hold up the others.
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/time.hpp>

#include <pthread.h>

#include <cstdint>

namespace heddle::detail {

/// A mutex in shared memory. If its holder dies, the next one gets it and is told.
///
/// Thread safety: a mutex, between processes. Lifetime: `initialise` first, once; never destroyed,
/// since there is nothing to free.
class robust_mutex {
public:
    void initialise();
    /// Returns whether the last holder died while it held the lock; then what the lock guards must
    /// be made whole, and `mended` called, before it is unlocked.
    /// @throws would_deadlock_error  this thread holds it already.
    [[nodiscard]] bool lock();
    void mended() noexcept { pthread_mutex_consistent(&mutex_); }
    void unlock() noexcept { pthread_mutex_unlock(&mutex_); }

private:
    pthread_mutex_t mutex_;
};

/// Where those wait who found nothing to do, in shared memory that a robust_mutex guards.
///
/// All are woken at once, and *before* the change that they wait for is made, by who holds the
/// mutex: so they then wait for the mutex, and get it also from a holder that died. Nobody relies
/// on another sleeper to go on waking, since that one may die too.
class shared_signal {
public:
    /// With the mutex held, before it is unlocked to sleep: what to pass to `sleep`.
    std::uint32_t about_to_sleep() noexcept {
        asleep_.store(1);
        return changes_.load();
    }
    /// Sleeps until `wake_all` was called after `about_to_sleep`, or the deadline; may also return
    /// for no reason. Without the mutex.
    void sleep(std::uint32_t seen, deadline limit) const noexcept;
    /// With the mutex held. One load if nobody sleeps.
    void wake_all() noexcept;

private:
    /// Protocol: changed under the mutex; the futex that sleepers compare.
    atomic<std::uint32_t> changes_{0};
    /// Protocol: changed under the mutex; 1 if somebody may sleep, also one that has died since.
    atomic<std::uint32_t> asleep_{0};
};

} // namespace heddle::detail
