/// How a thread sleeps and is woken: the one place that knows about the futex.
///
/// `light_mutex` and `wait_list` are what queues, events and waits are made of. The proof that no
/// wake-up is lost is in src/core/README.md ("Parking").
#pragma once

#include <heddle/detail/atomic.hpp>
#include <heddle/time.hpp>

#include <cstdint>
#include <mutex>

namespace heddle::detail {

/// Sleeps while `word` holds `expected`, until woken or until the deadline.
///
/// May return early for no reason: callers test their condition in a loop. Returns at once if
/// `word` has another value. With a test clock installed, the deadline is on that clock.
void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected, deadline limit) noexcept;
/// The same for four aligned bytes inside something else.
void futex_wait(const void* word, std::uint32_t expected, deadline limit) noexcept;

/// Wakes up to `count` threads that sleep on `word`. The word itself is never read, so it may
/// already be gone: a wake-up of whoever sleeps there now is a spurious one, which all loops bear.
void futex_wake(const void* word, int count) noexcept;

/// True if a spinning thread can be overtaken by another one, that is with more than one usable
/// core. With one core every spin only delays the thread that is waited for.
bool spinning_helps() noexcept;

/// Tells the core that this is a spin loop.
inline void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// A one-word mutex: spins briefly, then sleeps. For critical sections of a few dozen
/// instructions that never call user code.
///
/// Thread safety: a mutex; meets BasicLockable. Lifetime: must outlive its holders.
class light_mutex {
public:
    light_mutex() noexcept = default;
    light_mutex(const light_mutex&) = delete;
    light_mutex& operator=(const light_mutex&) = delete;

    /// Blocks until the mutex is ours. Never throws.
    void lock() noexcept {
        std::uint32_t free = free_;
        // acquire: sees what the last holder wrote; pairs with the release in unlock().
        if (!word_.compare_exchange_strong(
                free, held_, std::memory_order_acquire, std::memory_order_relaxed)) {
            lock_slow();
        }
    }
    bool try_lock() noexcept {
        std::uint32_t free = free_;
        // acquire: as in lock().
        return word_.compare_exchange_strong(
            free, held_, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void unlock() noexcept {
        // release: publishes the critical section; pairs with the acquire in lock().
        if (word_.exchange(free_, std::memory_order_release) == contended_) futex_wake(&word_, 1);
    }

private:
    static constexpr std::uint32_t free_ = 0, held_ = 1, contended_ = 2;

    void lock_slow() noexcept;

    /// Protocol (Drepper, "Futexes are tricky", mutex 2): free, held, or held with sleepers. Who
    /// sleeps has set `contended_` first, and every wake-up retries with `contended_`.
    atomic<std::uint32_t> word_{free_};
};

/// Threads that wait for a condition guarded by a `light_mutex`, woken first-in first-out.
///
/// Thread safety: every call is made with the guarding mutex held (by the `lock` passed in).
/// Lifetime: no thread may wait in it when it is destroyed.
class wait_list {
    struct node {
        /// Protocol: 0 while in the list, 1 once taken out by a notifier; written under the
        /// mutex, read by the sleeper also without it (release / acquire).
        atomic<std::uint32_t> woken{0};
        node* next = nullptr;
        node* previous = nullptr;
    };

public:
    using lock_type = std::unique_lock<light_mutex>;

    /// Releases `lock`, sleeps until notified or until the deadline, and takes `lock` again.
    /// Returns false if the deadline passed first; a notification that coincides wins.
    bool wait(lock_type& lock, deadline limit) noexcept;

    /// Waits until `ready()`; returns false if the deadline passed first and it still is not.
    template <class Predicate>
    bool wait(lock_type& lock, deadline limit, Predicate ready) {
        while (!ready()) {
            if (limit.passed()) return false;
            if (!wait(lock, limit)) return ready();
        }
        return true;
    }

    /// Takes out the longest waiter, if any; releases `lock` in any case, then wakes that waiter.
    void notify_one(lock_type& lock) noexcept;
    /// Takes out all waiters; releases `lock` in any case, then wakes them.
    void notify_all(lock_type& lock) noexcept;

    bool empty() const noexcept { return first_ == nullptr; }

private:
    void remove(node& n) noexcept;

    node* first_ = nullptr;
    node* last_ = nullptr;
};

} // namespace heddle::detail
