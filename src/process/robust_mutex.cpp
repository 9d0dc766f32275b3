#include "robust_mutex.hpp"

#include <heddle/error.hpp>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace heddle::detail {

void robust_mutex::initialise() {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex_, &kind);
    pthread_mutexattr_destroy(&kind);
}

bool robust_mutex::lock() {
    const int code = pthread_mutex_lock(&mutex_);
    if (code == 0) return false;
    if (code == EOWNERDEAD) return true;
    if (code == EDEADLK) {
        throw would_deadlock_error("a shared value was used inside its own with(): it is locked "
                                   "there; use what with() hands out");
    }
    throw std::system_error(code, std::generic_category(), "heddle: cannot lock shared memory");
}

void shared_signal::sleep(std::uint32_t seen, deadline limit) const noexcept {
    timespec until{};
    if (!limit.is_never()) {
        const std::int64_t ns = std::max<std::int64_t>(limit.ns, 0);
        until = {ns / 1'000'000'000, ns % 1'000'000'000};
    }
    // Not FUTEX_PRIVATE_FLAG: those who wake are in other processes.
    syscall(SYS_futex,
            &changes_,
            FUTEX_WAIT_BITSET,
            seen,
            limit.is_never() ? nullptr : &until,
            nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void shared_signal::wake_all() noexcept {
    if (asleep_.load() == 0) return;
    changes_.fetch_add(1);
    syscall(SYS_futex, &changes_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    asleep_.store(0); // last: who dies before this leaves the others to be woken again
}

} // namespace heddle::detail
