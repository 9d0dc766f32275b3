/// Bounded long runs: many beginnings and ends, and everything at once.
#include "support/ledger.hpp"
#include "support/sanitizers.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using heddle::future;
using heddle::promise;
using heddle::thread_pool;
using heddle::test::ledger;

namespace {

/// Counts down the rounds of a run: `count` times HEDDLE_STRESS (1), a tenth of it under a
/// sanitizer; but without HEDDLE_STRESS it ends after five seconds, for the sake of busy machines.
///
/// Thread safety: none. Lifetime: a local.
class rounds {
public:
    explicit rounds(int count)
        : left_(std::max(1, count * times() / (heddle::test::sanitized ? 10 : 1))) {}
    /// The number of this round, or 0 at the end.
    int next() {
        const bool late = times() == 1 && std::chrono::steady_clock::now() - began_ > longest;
        return late ? 0 : left_--;
    }

private:
    static constexpr std::chrono::seconds longest{5};
    static int times() {
        const char* const factor = std::getenv("HEDDLE_STRESS");
        return factor ? std::max(1, std::atoi(factor)) : 1;
    }
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    int left_;
};

TEST(PoolStress, F28ManyPoolsStartAndStop) {
    // HEDDLE_STRESS=30 makes it a million cycles.
    for (rounds all(30'000); const int i = all.next();) {
        std::atomic<int> ran{0};
        {
            thread_pool pool(1 + i % 2);
            for (int n = i % 4; n > 0; --n) pool.post([&ran] { ++ran; });
            if (i % 3 == 0) pool.shutdown();
        }
        ASSERT_EQ(ran, i % 4);
    }
}

TEST(PoolStress, F22SubmitRacesWithShutdown) {
    for (rounds all(500); const int i = all.next();) {
        ledger book;
        std::atomic<int> ran{0}, taken{0};
        std::latch start(5);
        auto pool = std::make_unique<thread_pool>(2);
        std::vector<std::thread> submitters;
        for (int s = 0; s < 4; ++s) {
            submitters.emplace_back([&] {
                start.arrive_and_wait();
                try {
                    for (;;) {
                        book.track(pool->submit([&ran] { ++ran; }));
                        ++taken;
                    }
                } catch (const heddle::shutdown_error&) {
                }
            });
        }
        start.arrive_and_wait();
        while (taken < 20) std::this_thread::yield();
        pool->shutdown({.wait = i % 2 == 0, .cancel_pending = i % 3 == 0});
        for (auto& s : submitters) s.join();
        pool.reset();
        EXPECT_EQ(book.submitted(), static_cast<std::uint64_t>(taken));
        EXPECT_EQ(book.values(), static_cast<std::uint64_t>(ran));
        book.expect_balanced();
    }
}

TEST(PoolStress, CancelsRaceWithStarts) {
    for (const std::size_t bound : {0u, 16u}) {
        ledger book;
        std::atomic<std::uint64_t> ran{0};
        {
            thread_pool pool({.max_workers = 3, .max_pending = bound});
            for (rounds all(200); all.next();) {
                std::vector<future<void>> futures;
                for (int n = 0; n < 100; ++n) {
                    futures.push_back(book.track(pool.submit([&ran] { ++ran; })));
                    if (n % 2 == 0) futures.back().cancel();
                }
                std::thread other([&] {
                    for (auto& f : futures) f.cancel();
                });
                for (auto& f : futures) f.cancel();
                other.join();
            }
        }
        EXPECT_EQ(book.values(), ran);
        book.expect_balanced();
    }
}

TEST(PoolStress, NestedForkAndJoinOnAnyNumberOfWorkers) {
    for (const int workers : {1, 2, 3, 4, 8, 16}) {
        thread_pool pool(workers);
        std::function<int(int)> fibonacci = [&](int n) -> int {
            if (n < 2) return n;
            future<int> left = pool.submit([&, n] { return fibonacci(n - 1); });
            const int right = fibonacci(n - 2);
            return std::move(left).result() + right;
        };
        for (rounds all(10); all.next();) {
            EXPECT_EQ(pool.submit([&] { return fibonacci(16); }).result(), 987);
        }
    }
}

TEST(PoolStress, NestedWaitsOfEveryKindAtOnce) {
    ledger book;
    {
        thread_pool pool(3);
        thread_pool other(2);
        std::vector<future<int>> roots;
        for (rounds all(2000); const int i = all.next();) {
            roots.push_back(book.track(pool.submit([&, i] {
                std::vector<future<int>> children;
                for (int n = 0; n < 4; ++n) {
                    thread_pool& to = n % 2 == 0 ? pool : other;
                    children.push_back(book.track(to.submit([&pool, n] {
                        return n == 3 ? pool.submit([] { return 3; }).result() : n;
                    })));
                }
                int sum = 0;
                switch (i % 3) {
                case 0:
                    for (auto& f : heddle::as_completed(children)) sum += f.result();
                    break;
                case 1:
                    for (const int r : heddle::results(children)) sum += r;
                    break;
                default:
                    heddle::wait(children, {.until = heddle::return_when::first_completed});
                    for (auto& f : children) sum += f.result();
                }
                return sum;
            })));
        }
        for (auto& f : roots) ASSERT_EQ(f.result(), 6);
    }
    book.expect_balanced();
}

TEST(PoolStress, AsCompletedMeetsConcurrentFinishes) {
    thread_pool pool(4);
    for (rounds all(1000); const int i = all.next();) {
        std::vector<future<int>> futures;
        for (int n = 0; n < 50; ++n) futures.push_back(pool.submit([n] { return n; }));
        int sum = 0, seen = 0;
        for (auto& f : heddle::as_completed(std::move(futures))) {
            sum += f.result();
            if (++seen == 50 - i % 3) break; // some sets go before their last completion
        }
        if (seen == 50) {
            ASSERT_EQ(sum, 1225);
        }
    }
}

TEST(PoolStress, ManyPromisesSetByManyThreads) {
    ledger book;
    for (rounds all(50); all.next();) {
        std::vector<promise<int>> promises(1000);
        std::vector<future<int>> futures;
        for (auto& p : promises) futures.push_back(book.track(p.get_future()));
        std::vector<std::thread> setters;
        for (std::size_t first = 0; first < 4; ++first) {
            setters.emplace_back([&promises, first] {
                for (std::size_t n = first; n < promises.size(); n += 4) {
                    if (n % 7 == 0) promises[n].set_exception(std::make_exception_ptr(1));
                    else promises[n].set_value(1);
                }
            });
        }
        heddle::wait(futures, {.until = heddle::return_when::first_exception});
        heddle::wait(futures, {.until = heddle::return_when::first_completed});
        EXPECT_EQ(heddle::wait(futures).done.size(), 1000u);
        for (auto& t : setters) t.join();
    }
    book.expect_balanced();
}

TEST(PoolStress, WaitersTakeTheirHooksBackWhileCallbacksGo) {
    thread_pool pool(2);
    for (rounds all(5000); all.next();) {
        promise<int> first, second;
        std::vector<future<int>> futures{first.get_future(), second.get_future()};
        for (auto& f : futures) {
            for (int n = 0; n < 3; ++n) f.add_done_callback([](const future<int>&) {});
        }
        pool.post([&first] { first.set_value(1); });
        pool.post([&second] { second.set_value(1); });
        heddle::wait(futures, {.until = heddle::return_when::first_completed});
        heddle::wait(futures);
        // The promises go with their callbacks perhaps still running: that must be safe.
        first = {};
        second = {};
    }
}

// Workers that wait for the searcher to get a core, instead of taking the work that they see, kept
// it from getting one, and burnt seconds.
TEST(PoolStress, ManyWorkersWhoseTasksSleepUseHardlyAnyProcessorTime) {
    constexpr int workers = 200, tasks = 5 * workers;
    thread_pool pool(workers);
    const std::clock_t before = std::clock();
    std::vector<future<void>> all;
    for (int i = 0; i < tasks; ++i) {
        all.push_back(
            pool.submit([] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }));
    }
    for (auto& f : all) f.result();
    const double spent = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    EXPECT_LT(spent / tasks, heddle::test::sanitized ? 3e-3 : 3e-4) << "CPU seconds a task";
}

TEST(PoolStress, MapsAreDroppedAnywhere) {
    thread_pool pool(3);
    std::atomic<int> ran{0};
    for (rounds all(2000); const int i = all.next();) {
        auto results = pool.map(
            {.chunk_size = static_cast<std::size_t>(i % 4),
             .buffer_size = static_cast<std::size_t>(i % 5) * 3},
            [&ran](const std::string& s) {
                ++ran;
                return s + s;
            },
            std::vector<std::string>(40, std::string(20, 'm')));
        int stop_at = i % 41;
        for (const std::string& s : results) {
            ASSERT_EQ(s.size(), 40u);
            if (stop_at-- == 0) break;
        }
    }
    EXPECT_GT(ran, 0);
}

} // namespace
