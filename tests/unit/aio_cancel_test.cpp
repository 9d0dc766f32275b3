/// Cancellation, groups and time limits, all in virtual time.
#include "support/lost_failures.hpp"
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>
#include <heddle/promise.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::lost_failures;
using heddle::test::now;
using heddle::test::run_virtually;

namespace {

aio::task<int> after(heddle::duration d, int x) {
    co_await aio::sleep_for(d);
    co_return x;
}
aio::task<int> fail_after(heddle::duration d, const char* text) {
    co_await aio::sleep_for(d);
    throw std::runtime_error(text);
}
aio::task<> nothing() {
    co_return;
}
/// Counts the times that it was cancelled, and does not give up at the first.
aio::task<int> stubborn(int times, int& cancelled) {
    for (int i = 0; i < times; ++i) {
        try {
            co_await aio::sleep_for(1h);
        } catch (const heddle::cancelled_error&) {
            ++cancelled;
        }
    }
    co_await aio::sleep_for(1h);
    co_return 0;
}

TEST(AioGather, GivesValuesInOrder) {
    struct code {
        static aio::task<> main() {
            const auto start = now();
            const auto all = co_await aio::gather(after(3s, 3), nothing(), after(1s, 1));
            EXPECT_EQ(std::get<0>(all), 3);
            EXPECT_EQ(std::get<1>(all), std::monostate());
            EXPECT_EQ(std::get<2>(all), 1);
            EXPECT_EQ(now() - start, 3s);
            std::vector<aio::task<int>> many;
            for (int i = 0; i < 100; ++i) many.push_back(after((100 - i) * 1s, i));
            const std::vector<int> values = co_await aio::gather(std::move(many));
            for (int i = 0; i < 100; ++i) EXPECT_EQ(values.at(static_cast<std::size_t>(i)), i);
            const std::vector<int> none = co_await aio::gather(std::vector<aio::task<int>>());
            EXPECT_TRUE(none.empty());
            (void)co_await aio::gather();
        }
    };
    run_virtually(code::main());
}

aio::task<int> counted(int& running, int& most) {
    most = std::max(most, ++running);
    co_await aio::sleep_for(1s);
    --running;
    co_return 0;
}

TEST(AioGather, KeepsItsLimit) {
    int running = 0, most = 0;
    std::vector<aio::task<int>> many;
    for (int i = 0; i < 20; ++i) many.push_back(counted(running, most));
    run_virtually(aio::gather(std::move(many), {.limit = 3}));
    EXPECT_EQ(most, 3);
    EXPECT_EQ(running, 0);
}

TEST(AioGather, FirstFailureCancelsTheOthersAndFurtherOnesAreTold) {
    struct code {
        static aio::task<int> fail_when_cancelled() {
            try {
                co_await aio::sleep_for(1h);
            } catch (const heddle::cancelled_error&) {
                throw std::logic_error("while cleaning up");
            }
            co_return 0;
        }
        static aio::task<> main() {
            const auto start = now();
            try {
                (void)co_await aio::gather(
                    after(1h, 0), fail_after(2s, "first"), fail_when_cancelled());
                ADD_FAILURE();
            } catch (const std::runtime_error& e) {
                EXPECT_STREQ(e.what(), "first");
            }
            EXPECT_EQ(now() - start, 2s);
        }
    };
    lost_failures lost;
    run_virtually(code::main());
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.text(0), "std::logic_error: while cleaning up");
}

TEST(AioGather, OutcomesKeepEveryFailure) {
    struct code {
        static aio::task<> main() {
            std::vector<aio::task<int>> some;
            some.push_back(after(2s, 1));
            some.push_back(fail_after(1s, "no"));
            some.push_back(after(3s, 3));
            auto all = co_await aio::gather_outcomes(std::move(some));
            EXPECT_EQ(all.at(0).value(), 1);
            EXPECT_THROW((void)all.at(1).value(), std::runtime_error);
            EXPECT_EQ(all.at(2).value(), 3);
        }
    };
    run_virtually(code::main());
}

TEST(AioTimeout, EndsTheWorkBeforeItReports) {
    struct code {
        static aio::task<int> slow(bool& ended) {
            struct marker {
                bool& ended;
                ~marker() { ended = true; }
            } const guard{ended};
            co_await aio::sleep_for(1h);
            co_return 0;
        }
        static aio::task<> main() {
            bool ended = false;
            const auto start = now();
            try {
                (void)co_await aio::timeout(5s, slow(ended));
                ADD_FAILURE();
            } catch (const heddle::timeout_error&) {
                EXPECT_TRUE(ended);
            }
            EXPECT_EQ(now() - start, 5s);
            EXPECT_EQ(co_await aio::timeout(5s, after(1s, 4)), 4);
        }
    };
    run_virtually(code::main());
}

TEST(AioTimeout, TellsItsOwnLimitFromTheOneAround) {
    struct code {
        static aio::task<int> inner() {
            try {
                co_return co_await aio::timeout(10s, after(1h, 0));
            } catch (const heddle::timeout_error&) {
                ADD_FAILURE() << "the inner limit had not passed";
            }
            co_return 0;
        }
        static aio::task<> main() {
            EXPECT_THROW((void)co_await aio::timeout(1s, inner()), heddle::timeout_error);
        }
    };
    run_virtually(code::main());
}

TEST(AioCancel, IsALevelNotAnEdge) {
    struct code {
        static aio::task<> main() {
            int cancelled = 0;
            const auto start = now();
            EXPECT_THROW((void)co_await aio::timeout(1s, stubborn(3, cancelled)),
                         heddle::timeout_error);
            EXPECT_EQ(cancelled, 3);
            EXPECT_EQ(now() - start, 1s);
        }
    };
    run_virtually(code::main());
}

TEST(AioCancel, WhatHasNotBegunNeverRuns) {
    struct code {
        static aio::task<> touch(bool& ran) {
            ran = true;
            co_return;
        }
        static aio::task<> main() {
            bool ran = false;
            const aio::handle<void> h = aio::spawn(touch(ran));
            h.cancel();
            EXPECT_THROW(co_await h, heddle::cancelled_error);
            EXPECT_FALSE(ran);
        }
    };
    run_virtually(code::main());
}

TEST(AioCancel, ReachesALoopFromAnotherThread) {
    struct code {
        static aio::task<> main() {
            const aio::handle<int> h = aio::spawn(after(1h, 0));
            co_await aio::sleep_for(0s);
            std::thread other([&] { h.cancel(); });
            EXPECT_THROW(co_await h, heddle::cancelled_error);
            other.join();
        }
    };
    aio::run(code::main());
}

TEST(AioTaskGroup, AwaitsItsTasksAndPassesTheFirstFailureOn) {
    struct code {
        static aio::task<> add(int& sum, int x) {
            co_await aio::sleep_for(x * 1s);
            sum += x;
        }
        static aio::task<> main() {
            int sum = 0;
            co_await aio::with_task_group([&sum](aio::task_group& g) -> aio::task<> {
                for (int i = 1; i <= 4; ++i) g.spawn(add(sum, i));
                co_return;
            });
            EXPECT_EQ(sum, 10);
            auto failing = [](aio::task_group& g) -> aio::task<> {
                g.spawn(after(1h, 1));
                g.spawn(fail_after(1s, "no"));
                co_await aio::sleep_for(1h);
            };
            EXPECT_THROW(co_await aio::with_task_group(failing), std::runtime_error);
            const auto start = now();
            auto given_up = [](aio::task_group& g) -> aio::task<> {
                g.spawn(after(1h, 1));
                co_await aio::sleep_for(1s);
                g.cancel();
                co_await aio::sleep_for(1h);
            };
            co_await aio::with_task_group(given_up);
            EXPECT_EQ(now() - start, 1s);
        }
    };
    run_virtually(code::main());
}

TEST(AioAsCompleted, GivesOutcomesAsTheyCome) {
    struct code {
        static aio::task<> main() {
            std::vector<aio::task<int>> some;
            for (int s : {3, 1, 2}) some.push_back(after(s * 1s, s));
            some.push_back(fail_after(4s, "no"));
            auto each = aio::as_completed(std::move(some));
            for (int s : {1, 2, 3}) {
                auto next = co_await each.next();
                EXPECT_EQ(next.value().value(), s);
            }
            auto failed = co_await each.next();
            EXPECT_FALSE(failed.value().has_value());
            auto end = co_await each.next();
            EXPECT_FALSE(end.has_value());
            std::vector<aio::task<int>> left;
            left.push_back(after(1s, 1));
            left.push_back(after(1h, 2));
            auto dropped = aio::as_completed(std::move(left));
            (void)co_await dropped.next();
        }
    };
    run_virtually(code::main());
}

TEST(AioShield, LetsTheWaiterGoAndTheWorkGoOn) {
    struct code {
        static aio::task<int> work(bool& ended) {
            co_await aio::sleep_for(10s);
            ended = true;
            co_return 1;
        }
        static aio::task<> main() {
            bool ended = false;
            const auto start = now();
            EXPECT_THROW((void)co_await aio::timeout(1s, aio::shield(work(ended))),
                         heddle::timeout_error);
            EXPECT_EQ(now() - start, 1s);
            EXPECT_FALSE(ended);
            co_await aio::sleep_for(10s);
            EXPECT_TRUE(ended);
        }
    };
    run_virtually(code::main());
}

TEST(AioSpawn, TellsOfAFailureThatNobodyLookedAt) {
    struct code {
        static aio::task<> main() {
            (void)aio::spawn(fail_after(1s, "lost"));
            co_await aio::sleep_for(2s);
            const aio::handle<int> seen = aio::spawn(fail_after(1s, "seen"));
            EXPECT_THROW((void)co_await seen, std::runtime_error);
        }
    };
    lost_failures lost;
    run_virtually(code::main());
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.text(0), "std::runtime_error: lost");
    EXPECT_NE(lost.at(0).address, nullptr);
}

TEST(AioFuture, IsAwaitedOnTheLoop) {
    struct code {
        static aio::task<> main(heddle::thread_pool& pool) {
            const auto here = std::this_thread::get_id();
            EXPECT_EQ(co_await pool.submit([](int x) { return x + 1; }, 41), 42);
            EXPECT_EQ(std::this_thread::get_id(), here);
            auto named = pool.submit([] { return std::string("text"); });
            const std::string& text = co_await named;
            EXPECT_EQ(text, "text");
            EXPECT_THROW(co_await pool.submit([] { throw std::logic_error("no"); }),
                         std::logic_error);
            EXPECT_EQ(co_await aio::to_thread([](int x) { return x; }, 5), 5);
            EXPECT_EQ(*co_await aio::run_in_executor(
                          pool, [](int x) { return std::make_unique<int>(x); }, 6),
                      6);
            EXPECT_EQ(co_await heddle::make_ready_future(9), 9);
            EXPECT_THROW((void)co_await heddle::future<int>(), heddle::invalid_state_error);
        }
    };
    heddle::thread_pool pool(1);
    aio::run(code::main(pool));
}

TEST(AioFuture, CancelledWaiterWithTheLastHandleStopsTheTask) {
    struct code {
        static aio::task<int> wait_for(heddle::promise<int>& p) {
            heddle::future<int> only = p.get_future();
            co_return co_await std::move(only);
        }
        static aio::task<int> watch(heddle::future<int> other) { co_return co_await other; }
        static aio::task<> main() {
            heddle::promise<int> lonely;
            EXPECT_THROW((void)co_await aio::timeout(1s, wait_for(lonely)), heddle::timeout_error);
            EXPECT_THROW(lonely.set_value(1), heddle::invalid_state_error);
            heddle::promise<int> shared;
            const heddle::future<int> kept = shared.get_future();
            EXPECT_THROW((void)co_await aio::timeout(1s, watch(kept)), heddle::timeout_error);
            shared.set_value(1);
            EXPECT_EQ(co_await kept, 1);
        }
    };
    run_virtually(code::main());
}

} // namespace
