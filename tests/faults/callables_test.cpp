/// Faults F01 to F06, F10 to F20: what callables, arguments and results may do wrong.
#include "support/ledger.hpp"
#include "support/lost_failures.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using heddle::future;
using heddle::promise;
using heddle::thread_pool;
using heddle::test::ledger;
using heddle::test::lost_failures;

namespace {

TEST(Callables, F01F02WhatIsThrownIsWhatIsRethrown) {
    ledger book;
    thread_pool pool(1);
    struct own {
        int code;
    };
    EXPECT_THROW(book.track(pool.submit([] { throw std::range_error("r"); })).result(),
                 std::range_error);
    try {
        book.track(pool.submit([] { throw 7; })).result();
        FAIL();
    } catch (int i) {
        EXPECT_EQ(i, 7);
    }
    try {
        book.track(pool.submit([] { throw own{8}; })).result();
        FAIL();
    } catch (const own& o) {
        EXPECT_EQ(o.code, 8);
    }
    EXPECT_EQ(book.track(pool.submit([] { return 1; })).result(), 1);
    pool.shutdown();
    book.expect_balanced();
}

/// Throws at the `n`-th copy or move from now on.
struct brittle {
    explicit brittle(int n) : left(std::make_shared<int>(n)) {}
    brittle(const brittle& other) : left(other.left) { count(); }
    brittle(brittle&& other) : left(other.left) { count(); } // NOLINT: throws on purpose
    void count() const {
        if ((*left)-- == 0) throw std::runtime_error("copied once too often");
    }
    std::shared_ptr<int> left;
};

TEST(Callables, F03AnArgumentThatThrowsWhenCopiedQueuesNothing) {
    std::atomic<int> ran{0};
    thread_pool pool(1);
    for (const int n : {0, 1, 2, 3}) {
        const brittle b(n);
        try {
            pool.submit([&ran](const brittle&) { ++ran; }, b).wait();
        } catch (const std::runtime_error&) {
            EXPECT_EQ(b.left.use_count(), 1) << n;
            EXPECT_EQ(ran, 0);
            continue;
        }
        EXPECT_EQ(ran, 1);
        break;
    }
    EXPECT_EQ(pool.pending_count(), 0u);
    EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
}

TEST(Callables, F05AResultThatThrowsWhenStoredIsTheOutcome) {
    ledger book;
    thread_pool pool(1);
    const brittle source(0);
    future<brittle> f = book.track(pool.submit([&source]() -> brittle { return source; }));
    EXPECT_THROW(f.result(), std::runtime_error);
    pool.shutdown();
    book.expect_balanced();
}

TEST(Callables, F06AnInitializerThatThrowsBreaksThePool) {
    lost_failures lost;
    ledger book;
    std::latch go(1);
    std::atomic<int> ran{0};
    {
        thread_pool pool({.max_workers = 2, .name = "sad", .initializer = [&] {
                              go.wait();
                              throw std::runtime_error("no licence");
                          }});
        std::vector<future<void>> futures;
        for (int i = 0; i < 10; ++i) futures.push_back(book.track(pool.submit([&] { ++ran; })));
        pool.post([&ran] { ++ran; });
        pool.post([&ran, text = std::string(99, 'x')] { ++ran; });
        std::thread waiter(
            [&] { EXPECT_THROW(futures[3].result(), heddle::broken_thread_pool_error); });
        go.count_down();
        waiter.join();
        heddle::wait(futures);
        try {
            (void)pool.submit([] {});
            ADD_FAILURE() << "taken by a broken pool";
        } catch (const heddle::broken_thread_pool_error& e) {
            EXPECT_NE(std::string(e.what()).find("no licence"), std::string::npos);
            EXPECT_NE(std::string(e.what()).find("sad"), std::string::npos);
        }
        EXPECT_THROW(pool.post([] {}), heddle::broken_thread_pool_error);
    }
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(book.broken(), 10u);
    EXPECT_EQ(lost.count(), 2u) << "both posts";
    book.expect_balanced();
}

TEST(Callables, F06TheInitializerRunsOnceInEachWorkerBeforeItsTasks) {
    static thread_local int ready = 0;
    std::atomic<int> starts{0};
    {
        thread_pool pool({.max_workers = 3, .initializer = [&] {
                              ++ready;
                              ++starts;
                          }});
        for (int r : pool.map([](int) { return ready; }, std::vector<int>(50))) EXPECT_EQ(r, 1);
    }
    EXPECT_EQ(starts, 3);
}

TEST(Callables, F10APromiseDroppedUnsetBreaksItsFuture) {
    ledger book;
    future<int> f;
    {
        promise<int> p;
        f = book.track(p.get_future());
        promise<int> other = std::move(p);
        other = promise<int>();
        EXPECT_TRUE(f.done());
    }
    EXPECT_THROW(f.result(), heddle::broken_executor_error);
    EXPECT_EQ(book.broken(), 1u);
    book.expect_balanced();
}

TEST(Callables, F11OfTwoThreadsThatSetExactlyOneWins) {
    for (int round = 0; round < 300; ++round) {
        promise<int> p;
        future<int> f = p.get_future();
        std::atomic<int> winner{0}, losers{0};
        const auto set = [&](int n) {
            try {
                if (n == 3) p.set_exception(std::make_exception_ptr(n));
                else p.set_value(n);
                winner = n;
            } catch (const heddle::invalid_state_error&) {
                ++losers;
            }
        };
        std::vector<std::thread> threads;
        for (int n = 1; n <= 3; ++n) threads.emplace_back(set, n);
        for (auto& t : threads) t.join();
        EXPECT_EQ(losers, 2);
        try {
            EXPECT_EQ(f.result(), winner);
        } catch (int n) {
            EXPECT_EQ(n, winner);
        }
    }
}

TEST(Callables, F11AValueThatThrowsWhenMadeLeavesThePromiseUnset) {
    promise<brittle> p;
    future<brittle> f = p.get_future();
    const brittle bad(0);
    EXPECT_THROW(p.set_value(bad), std::runtime_error);
    EXPECT_FALSE(f.done());
    p.set_value(brittle(9));
    EXPECT_EQ(f.result().left.use_count(), 1);
}

TEST(Callables, F13PthreadExitBreaksTheTaskAndThePoolGoesOn) {
    ledger book;
    thread_pool pool(1);
    for (int i = 0; i < 3; ++i) {
        future<void> f = book.track(pool.submit({.name = "leaver"}, [] { pthread_exit(nullptr); }));
        try {
            f.result();
            ADD_FAILURE();
        } catch (const heddle::broken_executor_error& e) {
            EXPECT_NE(std::string(e.what()).find("leaver"), std::string::npos);
        }
        EXPECT_EQ(book.track(pool.submit([] { return 2; })).result(), 2);
    }
    pool.shutdown();
    EXPECT_EQ(book.broken(), 3u);
    book.expect_balanced();
}

TEST(Callables, F13PthreadExitInAChildRunByItsWaiterBreaksBoth) {
    ledger book;
    thread_pool pool(1);
    future<int> parent = book.track(pool.submit([&] {
        future<void> child = book.track(pool.submit([] { pthread_exit(nullptr); }));
        child.wait();
        return 1;
    }));
    EXPECT_THROW(parent.result(), heddle::broken_executor_error);
    EXPECT_EQ(book.track(pool.submit([] { return 2; })).result(), 2);
    pool.shutdown();
    EXPECT_EQ(book.broken(), 2u);
    book.expect_balanced();
}

TEST(Callables, F04ADestructorThatMayThrowIsRefusedByTheCompiler) {
    struct bad {
        ~bad() noexcept(false) {}
        void operator()() const {}
    };
    struct good {
        void operator()() const {}
    };
    static_assert(!heddle::detail::submittable<bad>);
    static_assert(heddle::detail::submittable<good>);
    static_assert(!heddle::detail::submittable<void (*)(const bad&), bad>);
    static_assert(heddle::detail::submittable<void (*)(const good&), good>);
}

TEST(CallablesDeathTest, F14ExitInATaskEndsTheProcessWithItsCode) {
    EXPECT_EXIT(
        {
            thread_pool pool(2);
            pool.submit([] { std::exit(3); }).wait();
        },
        testing::ExitedWithCode(3),
        "");
}

TEST(CallablesDeathTest, F14F31ExitInATaskOfAStaticPoolEndsTheProcess) {
    EXPECT_EXIT(
        {
            static thread_pool pool(2);
            pool.submit([] { std::exit(4); }).wait();
        },
        testing::ExitedWithCode(4),
        "");
}

TEST(CallablesDeathTest, F31F32AStaticPoolRunsItsTasksWhenTheProgramEnds) {
    EXPECT_EXIT(
        {
            static thread_pool pool(2);
            for (int i = 0; i < 100; ++i) {
                pool.post([] {
                    static std::atomic<int> ran{0};
                    if (++ran == 100) std::fputs("all ran\n", stderr);
                });
            }
            std::exit(5);
        },
        testing::ExitedWithCode(5),
        "all ran");
}

TEST(CallablesDeathTest, F32QuickExitDoesNotWait) {
    EXPECT_EXIT(
        {
            static std::latch never(1);
            static thread_pool pool(1);
            pool.post([] { never.wait(); });
            std::quick_exit(6);
        },
        testing::ExitedWithCode(6),
        "");
}

TEST(Callables, F17AMillionDroppedFuturesStillRun) {
    std::atomic<int> ran{0};
    {
        thread_pool pool(2);
        for (int i = 0; i < 1'000'000; ++i) (void)pool.submit([&ran] { ++ran; });
    }
    EXPECT_EQ(ran, 1'000'000);
}

TEST(Callables, F20ALargeResultIsMadeOnceAndNeverCopied) {
    thread_pool pool(1);
    std::vector<char> big = pool.submit([] { return std::vector<char>(64 << 20, 'a'); }).result();
    EXPECT_EQ(big.size(), std::size_t{64} << 20);
    struct counted {
        explicit counted(int* n) : moves(n) {}
        counted(counted&& other) noexcept : moves(other.moves) { ++*moves; }
        int* moves;
    };
    int moves = 0;
    future<counted> f = pool.submit([&] { return counted(&moves); });
    f.wait();
    EXPECT_EQ(moves, 0); // built in its place
    EXPECT_EQ(std::move(f).result().moves, &moves);
    EXPECT_EQ(moves, 1);
}

} // namespace
