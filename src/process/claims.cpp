#include "claims.hpp"

#include "../core/context.hpp"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace heddle::detail {

namespace {

// Not FUTEX_PRIVATE_FLAG: those who wake are in other processes.
void sleep_on(const atomic<std::uint32_t>& word, std::uint32_t seen, duration limit) noexcept {
    const timespec at_most{limit.count() / 1'000'000'000, limit.count() % 1'000'000'000};
    const bool for_ever = limit == duration::max();
    syscall(SYS_futex, &word, FUTEX_WAIT, seen, for_ever ? nullptr : &at_most, nullptr, 0);
}
void wake_all(const atomic<std::uint32_t>& word) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}
bool is_open(std::uint32_t state) noexcept {
    return state == claims::offered || state == claims::taken;
}
constexpr std::uint32_t calls_in(std::uint32_t bell) noexcept {
    return bell >> 1;
}
constexpr std::uint32_t half(std::uint64_t calls) noexcept { // as much of it as the bell has
    return calls_in(static_cast<std::uint32_t>(calls << 1));
}

} // namespace

void claims::slot::note_watcher() noexcept {
    std::uint32_t expected = nobody; // never back from asleep: others may be so
    watched.compare_exchange_strong(expected, awake);
}

void claims::slot::watch() noexcept {
    if (spin_until([&] { return !is_open(state.load()); })) return;
    watched.store(asleep);
    for (;;) {
        const std::uint32_t now = state.load();
        if (!is_open(now)) return;
        sleep_on(state, now, duration::max());
    }
}

bool claims::slot::tell_watchers() noexcept {
    const std::uint32_t who = watched.load();
    if (who == asleep) wake_all(state);
    return who != nobody;
}

void claims::ring(std::uint64_t calls, bool last) noexcept {
    bell.store(static_cast<std::uint32_t>(calls << 1) | (last ? 1 : 0));
    if (sleeping.load() == 0) return;
    sleeping.store(0); // one wake-up is enough, until the worker sleeps again
    wake_all(sleeping);
    this_thread.woke_a_worker = true;
}

bool claims::spin_for_call(std::uint64_t seen) const noexcept {
    return spin_until([&] { return left_after(seen) != 0; });
}

bool claims::await_call(std::uint64_t seen, duration limit) noexcept {
    sleeping.store(1);
    const std::uint32_t now = bell.load();
    const bool none = calls_in(now) == half(seen);
    if (none && !(now & 1)) sleep_on(sleeping, 1, limit);
    sleeping.store(0);
    return !none || !(now & 1);
}

std::uint32_t claims::left_after(std::uint64_t seen) const noexcept {
    return (calls_in(bell.load()) - half(seen)) & (~0u >> 1);
}

} // namespace heddle::detail
