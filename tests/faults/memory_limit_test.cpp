/// Faults F67 and F68: more tasks than there is memory for, and more than a counter could count.
#include "../../src/pool/lane.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <latch>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

using heddle::future;
using heddle::thread_pool;
using heddle::test::exited_with;
using heddle::test::in_child;

namespace {

constexpr std::size_t one_task = 1024; // bytes, and what the pool needs for it

/// Limits the address space of this process to what it has now and `bytes` more.
bool allow_only(std::size_t bytes) {
    long pages = 0;
    std::FILE* const statm = std::fopen("/proc/self/statm", "r");
    if (!statm) return false;
    const bool read = std::fscanf(statm, "%ld", &pages) == 1;
    std::fclose(statm);
    const rlim_t limit = static_cast<rlim_t>(pages) * 4096 + bytes;
    const rlimit both{limit, RLIM_INFINITY};
    return read && setrlimit(RLIMIT_AS, &both) == 0;
}

/// A task that takes memory while it is queued.
struct large_task {
    std::atomic<int>* ran;
    std::array<char, one_task> bytes{};
    void operator()() const { ran->fetch_add(1 + bytes[0]); }
};

TEST(MemoryLimit, F67ABoundedPoolTakesAnyNumberOfTasksInLittleMemory) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers need the address space themselves";
    // All tasks at once would need ten times what there is, and nobody takes one meanwhile.
    constexpr int tasks = 640'000;
    EXPECT_TRUE(exited_with(in_child([] {
                                std::atomic<int> ran{0};
                                std::latch running(1), go(1);
                                {
                                    thread_pool pool({.max_workers = 1,
                                                      .max_pending = 1000,
                                                      .when_full = heddle::on_full::run_here});
                                    pool.post([&] {
                                        running.count_down();
                                        go.wait();
                                    });
                                    running.wait();
                                    if (!allow_only(tasks / 10 * one_task)) return 1;
                                    try {
                                        for (int i = 0; i < tasks; ++i)
                                            pool.post(large_task{.ran = &ran});
                                    } catch (const std::bad_alloc&) {
                                        _exit(4);
                                    }
                                    if (pool.pending_count() != 1000) return 2;
                                    go.count_down();
                                }
                                return ran == tasks ? 0 : 3;
                            }),
                            0));
}

TEST(MemoryLimit, F67AnUnboundedPoolWithoutMemoryRefusesTheNextTaskAndRunsTheOthers) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers need the address space themselves";
    EXPECT_TRUE(exited_with(in_child([] {
                                std::atomic<int> ran{0};
                                int taken = 0;
                                std::latch running(1), go(1);
                                {
                                    thread_pool pool(1);
                                    future<void> first = pool.submit([&] {
                                        running.count_down();
                                        go.wait();
                                    });
                                    // A thread that starts takes address space, 64 MiB for malloc.
                                    running.wait();
                                    if (!allow_only(std::size_t{32} << 20)) return 1;
                                    try {
                                        for (;; ++taken) pool.post(large_task{.ran = &ran});
                                    } catch (const std::bad_alloc&) {
                                    }
                                    if (pool.pending_count() != static_cast<std::size_t>(taken))
                                        return 2;
                                    go.count_down();
                                    first.wait();
                                }
                                if (taken < 10'000) return 3;
                                return ran == taken ? 0 : 4;
                            }),
                            0));
}

TEST(MemoryLimit, F68CountsOfTasksDoNotWrap) {
    using heddle::detail::lane;
    static_assert(std::is_same_v<decltype(std::declval<lane>().pushed()), std::uint64_t>);
    static_assert(sizeof(std::declval<thread_pool>().pending_count()) == 8);
}

TEST(MemoryLimitDeathTest, F68TooManyCopiesOfAFutureEndTheProgramBeforeTheirCountWraps) {
    EXPECT_DEATH(
        {
            const future<int> one = heddle::make_ready_future(1);
            const std::vector<future<int>> all((1u << 23) + 1, one);
        },
        "over 8 million copies of one future");
}

} // namespace
