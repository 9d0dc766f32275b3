#include "spinning.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/test_clock.hpp>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <vector>

namespace heddle::detail {

namespace {

struct sleeper {
    const void* word;
    std::int64_t deadline_ns;
};

/// The state behind `test_clock`; one a process, reached only while a clock is installed.
struct manual_time {
    std::mutex mutex;
    std::condition_variable changed;
    std::int64_t now_ns = 0;
    std::vector<sleeper> sleepers;
};

manual_time& manual() {
    static manual_time* one = new manual_time; // never destroyed: waits may outlive main
    return *one;
}

/// Protocol: written by test_clock's constructor and destructor, which run before and after all
/// waits of a test; read on every look at the clock. Relaxed: the data is behind manual().mutex.
atomic<bool> manual_installed{false};

long futex(const void* word, int operation, std::uint32_t value, const timespec* limit) noexcept {
    return syscall(SYS_futex, word, operation, value, limit, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wait_manual(const void* word, std::uint32_t expected, deadline limit) {
    manual_time& time = manual();
    {
        std::lock_guard lock(time.mutex);
        if (time.now_ns >= limit.ns) return;
        time.sleepers.push_back({word, limit.ns});
    }
    time.changed.notify_all();
    // advance() holds the mutex while it reads the list and moves the clock, so either it saw this
    // sleeper and wakes the word below, or the test above saw the new time. A wake that comes
    // before the sleep is caught by the retry: a sleeper whose time has come is woken repeatedly
    // until it leaves the list.
    futex(word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, nullptr);
    std::lock_guard lock(time.mutex);
    // One entry, not all: several threads may sleep on one word.
    time.sleepers.erase(std::find_if(time.sleepers.begin(), time.sleepers.end(), [&](auto& s) {
        return s.word == word && s.deadline_ns == limit.ns;
    }));
    time.changed.notify_all();
}

} // namespace

bool clock_is_set_by_hand() noexcept {
    return manual_installed.load(std::memory_order_relaxed); // pairs with nothing: see above
}

std::int64_t now_ns() noexcept {
    if (manual_installed.load(std::memory_order_relaxed)) { // pairs with nothing: see above
        std::lock_guard lock(manual().mutex);
        return manual().now_ns;
    }
    return std::chrono::steady_clock::now().time_since_epoch() / duration(1);
}

void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected, deadline limit) noexcept {
    futex_wait(static_cast<const void*>(&word), expected, limit);
}

void futex_wait(const void* word, std::uint32_t expected, deadline limit) noexcept {
    if (limit.is_never()) {
        futex(word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, nullptr);
        return;
    }
    if (limit.ns <= 0) return;
    if (manual_installed.load(std::memory_order_relaxed)) { // as in now_ns()
        futex_wait_manual(word, expected, limit);
        return;
    }
    timespec at{};
    at.tv_sec = limit.ns / 1'000'000'000;
    at.tv_nsec = limit.ns % 1'000'000'000;
    // FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, which is the steady clock.
    futex(word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, &at);
}

void futex_wake(const void* word, int count) noexcept {
    futex(word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, static_cast<std::uint32_t>(count), nullptr);
}

bool spinning_helps() noexcept {
    static const bool several = [] {
        // The kernel is asked, not the C library: under a race finder that runs one thread at a
        // time on one CPU, the latter tells of the machine's.
        cpu_set_t set;
        CPU_ZERO(&set);
        return syscall(SYS_sched_getaffinity, 0, sizeof set, &set) < 0 || CPU_COUNT(&set) > 1;
    }();
    return several;
}

void light_mutex::lock_slow() noexcept {
    // Ever longer pauses, not a look after each: the holder then gets several turns out of the
    // cache line before it has to give it away. Two threads that hammer one mutex do three times
    // as much that way.
    constexpr int shortest = 4, longest = 64; // pauses
    spin_limit limit(std::chrono::microseconds(5));
    for (int length = shortest; spinning_helps(); length = std::min(2 * length, longest)) {
        for (int i = 0; i < length; ++i) pause();
        // relaxed: only a hint whether trying makes sense; try_lock() acquires.
        if (word_.load(std::memory_order_relaxed) == free_ && try_lock()) return;
        if (limit.reached(length)) break;
    }
    // acquire: as in lock(). From here on we leave `contended_` behind, since others may sleep.
    while (word_.exchange(contended_, std::memory_order_acquire) != free_) {
        futex_wait(word_, contended_, deadline::never());
    }
}

bool wait_list::wait(lock_type& lock, deadline limit) noexcept {
    node self;
    self.previous = last_;
    (last_ ? last_->next : first_) = &self;
    last_ = &self;
    lock.unlock();
    // acquire: sees what the notifier wrote before; pairs with the release in notify_*().
    while (self.woken.load(std::memory_order_acquire) == 0 && !limit.passed()) {
        futex_wait(self.woken, 0, limit);
    }
    lock.lock();
    // relaxed: written under the mutex, which we hold.
    if (self.woken.load(std::memory_order_relaxed) != 0) return true;
    remove(self);
    return false;
}

void wait_list::remove(node& n) noexcept {
    (n.previous ? n.previous->next : first_) = n.next;
    (n.next ? n.next->previous : last_) = n.previous;
}

void wait_list::notify_one(lock_type& lock) noexcept {
    const atomic<std::uint32_t>* word = nullptr;
    if (node* n = first_) {
        remove(*n);
        word = &n->woken;
        // release: pairs with the acquire in wait(). The node MAY DIE from here on.
        n->woken.store(1, std::memory_order_release);
    }
    lock.unlock();
    if (word) futex_wake(word, 1);
}

void wait_list::notify_all(lock_type& lock) noexcept {
    // The nodes may die as soon as their word is set, so the words to wake are collected in
    // batches of a size that needs no allocation.
    constexpr std::size_t batch = 32;
    std::size_t count = 0;
    do {
        const atomic<std::uint32_t>* words[batch];
        count = 0;
        while (first_ && count < batch) {
            node* n = first_;
            remove(*n);
            words[count++] = &n->woken;
            // release: pairs with the acquire in wait().
            n->woken.store(1, std::memory_order_release);
        }
        const bool more = first_ != nullptr;
        lock.unlock();
        std::for_each(words, words + count, [](const auto* word) { futex_wake(word, 1); });
        if (!more) return;
        lock.lock();
    } while (true);
}

test_clock::test_clock() {
    manual_time& time = manual();
    std::lock_guard lock(time.mutex);
    assert(!manual_installed && "one test_clock at a time");
    time.now_ns = 1'000'000'000; // not zero, so that deadlines before "now" exist
    manual_installed = true;
}

test_clock::~test_clock() {
    manual_installed = false;
}

void test_clock::advance(duration d) {
    manual_time& time = manual();
    std::unique_lock lock(time.mutex);
    time.now_ns += d.count();
    const auto due = [&](const sleeper& s) { return s.deadline_ns <= time.now_ns; };
    // A sleeper is in the list a moment before it sleeps, so wake until all due ones have left.
    while (std::any_of(time.sleepers.begin(), time.sleepers.end(), due)) {
        for (const sleeper& s : time.sleepers) {
            if (due(s)) futex_wake(s.word, 1);
        }
        time.changed.wait_for(lock, std::chrono::microseconds(50));
    }
}

void test_clock::wait_for_sleepers(std::size_t count) {
    manual_time& time = manual();
    std::unique_lock lock(time.mutex);
    time.changed.wait(lock, [&] { return time.sleepers.size() >= count; });
}

void test_clock::advance_to_next(std::size_t count) {
    manual_time& time = manual();
    std::int64_t next = 0;
    {
        std::unique_lock lock(time.mutex);
        time.changed.wait(lock, [&] { return time.sleepers.size() >= count; });
        next = std::min_element(time.sleepers.begin(),
                                time.sleepers.end(),
                                [](auto& a, auto& b) { return a.deadline_ns < b.deadline_ns; })
                   ->deadline_ns -
               time.now_ns;
    }
    advance(duration(next));
}

} // namespace heddle::detail
