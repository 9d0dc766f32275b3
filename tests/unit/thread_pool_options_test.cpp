/// thread_pool_options: each option, and the three ways to be full.
#include "support/ledger.hpp"

#include <heddle/detail/test_clock.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <latch>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

using heddle::future;
using heddle::on_full;
using heddle::thread_pool;
using heddle::test::ledger;

namespace {

std::string name_of_this_thread() {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

std::string name_of_the_first_worker(const std::string& pool_name) {
    thread_pool pool({.max_workers = 1, .name = pool_name});
    return pool.submit(name_of_this_thread).result();
}

TEST(ThreadPoolOptions, NameTheThreads) {
    EXPECT_EQ(name_of_the_first_worker("loom"), "loom-0");
    EXPECT_EQ(name_of_the_first_worker("a name that is too long"), "a name that i-0");
    EXPECT_EQ(name_of_the_first_worker(""), "-0");
}

TEST(ThreadPoolOptions, DefaultToTheMachinesParallelism) {
    EXPECT_EQ(thread_pool().worker_count(), heddle::available_parallelism());
    EXPECT_EQ(thread_pool(heddle::thread_pool_options{}).worker_count(),
              heddle::available_parallelism());
    EXPECT_EQ(thread_pool(7).worker_count(), 7);
    EXPECT_EQ(thread_pool({.max_workers = 2}).worker_count(), 2);
}

/// A pool of one worker and one place, whose worker is held up until `go`.
struct full_pool {
    explicit full_pool(on_full policy)
        : pool({.max_workers = 1, .name = "tiny", .max_pending = 1, .when_full = policy}) {
        first = book.track(pool.submit([this] {
            running.count_down();
            go.wait();
        }));
        running.wait();
        second = book.track(pool.submit([] {}));
    }
    ~full_pool() {
        if (!opened) go.count_down();
        pool.shutdown();
        book.expect_balanced();
    }
    void open() {
        opened = true;
        go.count_down();
    }
    ledger book;
    std::latch running{1}, go{1};
    bool opened = false;
    thread_pool pool;
    future<void> first, second;
};

TEST(ThreadPoolOptions, RejectThrowsWithTheBoundAndKeepsTheRest) {
    full_pool full(on_full::reject);
    EXPECT_EQ(full.pool.pending_count(), 1u);
    for (int i = 0; i < 2; ++i) {
        try {
            (void)full.pool.submit([] { FAIL() << "was refused"; });
            FAIL();
        } catch (const heddle::queue_full_error& e) {
            EXPECT_NE(std::string(e.what()).find("1 tasks queued"), std::string::npos) << e.what();
            EXPECT_NE(std::string(e.what()).find("tiny"), std::string::npos) << e.what();
        }
    }
    EXPECT_THROW(full.pool.post([] {}), heddle::queue_full_error);
    EXPECT_THROW((void)full.pool.submit({.priority = 9}, [] {}), heddle::queue_full_error);
    EXPECT_TRUE(full.second.cancel());
    full.book.track(full.pool.submit([] {})); // its place is free again
}

TEST(ThreadPoolOptions, RunHereRunsInTheCaller) {
    full_pool full(on_full::run_here);
    const auto self = std::this_thread::get_id();
    future<std::thread::id> f = full.pool.submit([] { return std::this_thread::get_id(); });
    EXPECT_TRUE(f.done());
    EXPECT_EQ(f.result(), self);
    future<int> fails = full.pool.submit([]() -> int { throw 3; });
    EXPECT_THROW(fails.result(), int);
    std::atomic<bool> posted{false};
    full.pool.post([&] { posted = true; });
    EXPECT_TRUE(posted);
}

TEST(ThreadPoolOptions, BlockWaitsForRoom) {
    full_pool full(on_full::block);
    std::latch began(1);
    std::atomic<bool> taken{false};
    std::thread submitter([&] {
        began.count_down();
        full.book.track(full.pool.submit([] {}));
        taken = true;
    });
    began.wait();
    EXPECT_FALSE(taken);
    full.open();
    submitter.join();
    EXPECT_TRUE(taken);
}

TEST(ThreadPoolOptions, ACancelMakesRoomForTheOneWhoWaits) {
    full_pool full(on_full::block);
    std::thread submitter([&] { full.book.track(full.pool.submit([] {})); });
    EXPECT_TRUE(full.second.cancel());
    submitter.join();
}

TEST(ThreadPoolOptions, AShutdownWakesTheOneWhoWaitsForRoom) {
    full_pool full(on_full::block);
    std::latch began(1);
    std::thread submitter([&] {
        began.count_down();
        EXPECT_THROW((void)full.pool.submit([] {}), heddle::shutdown_error);
    });
    began.wait();
    full.pool.shutdown({.wait = false});
    submitter.join();
}

TEST(ThreadPoolOptions, ATaskNeverWaitsForRoomInItsOwnPool) {
    for (const on_full policy : {on_full::block, on_full::reject, on_full::run_here}) {
        ledger book;
        thread_pool pool({.max_workers = 1, .max_pending = 1, .when_full = policy});
        future<int> f = book.track(pool.submit([&] {
            int sum = 0;
            for (int i = 0; i < 10; ++i) {
                (void)book.track(pool.submit([&sum] { ++sum; }));
            }
            pool.post([] {});
            return 10;
        }));
        EXPECT_EQ(f.result(), 10);
        pool.shutdown();
        book.expect_balanced();
    }
}

TEST(ThreadPoolOptions, ABoundedPoolTakesALongMap) {
    thread_pool pool({.max_workers = 2, .max_pending = 3});
    const std::vector<int> inputs(500, 1);
    int sum = 0;
    for (int r : pool.map([](int i) { return i; }, inputs)) sum += r;
    EXPECT_EQ(sum, 500);
}

TEST(ThreadPoolOptions, TheLargestBoundIsNoBound) {
    thread_pool pool({.max_workers = 1, .max_pending = static_cast<std::size_t>(-1)});
    EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
}

} // namespace
