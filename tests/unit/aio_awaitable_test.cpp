/// Whatever can be awaited goes where a task does.
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>
#include <heddle/promise.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::now;
using heddle::test::run_virtually;

namespace {

aio::task<int> after(heddle::duration d, int x) {
    co_await aio::sleep_for(d);
    co_return x;
}
TEST(AioAwaitable, AnythingAwaitableGoesWhereATaskDoes) {
    struct code {
        static aio::task<> main() {
            aio::event never;
            const auto start = now();
            EXPECT_THROW(co_await aio::timeout(1s, never.wait()), heddle::timeout_error);
            EXPECT_THROW(co_await aio::timeout(1s, aio::sleep_for(1h)), heddle::timeout_error);
            co_await aio::gather(aio::sleep_for(1s), aio::sleep_for(1s));
            EXPECT_EQ(now() - start, 3s);
            aio::semaphore permits(1);
            co_await permits.acquire();
            EXPECT_THROW(co_await aio::timeout(1s, permits.acquire()), heddle::timeout_error);
            aio::mutex m;
            auto guard = co_await aio::timeout(1s, m.lock());
            EXPECT_TRUE(guard);
            EXPECT_THROW((void)co_await aio::timeout(1s, m.lock()), heddle::timeout_error);
            heddle::promise<int> late;
            EXPECT_THROW((void)co_await aio::timeout(1s, late.get_future()), heddle::timeout_error);
            const auto both = co_await aio::gather(heddle::make_ready_future(1), after(1s, 2));
            EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 3);
            std::vector<heddle::future<int>> ready;
            for (int i = 0; i < 3; ++i) ready.push_back(heddle::make_ready_future(i));
            const std::vector<int> all = co_await aio::gather(ready);
            EXPECT_EQ(all, (std::vector{0, 1, 2}));
            (void)aio::spawn(aio::sleep_for(1s));
            co_await aio::shield(aio::sleep_for(1s));
        }
    };
    run_virtually(code::main());
}

TEST(AioAwaitable, HandlesAreCopiedAwaitedTwiceAndGathered) {
    struct code {
        static aio::task<> main() {
            const aio::handle<int> a = aio::spawn(after(1s, 1));
            const aio::handle<int> b = aio::spawn(after(2s, 2));
            const aio::handle<int> same = a;
            const auto both = co_await aio::gather(a, b);
            EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 3);
            EXPECT_TRUE(a.done());
            EXPECT_EQ(co_await a, 1);
            EXPECT_EQ(co_await same, 1);
            std::vector<aio::handle<int>> more{aio::spawn(after(3s, 3)), b};
            EXPECT_EQ((co_await aio::gather(more)).at(0), 3);
            const aio::handle<int> slow = aio::spawn(after(1h, 4));
            EXPECT_THROW((void)co_await aio::timeout(1s, slow), heddle::timeout_error);
            EXPECT_FALSE(slow.done()) << "a limit for the waiter is none for the task";
            slow.cancel();
            EXPECT_THROW((void)co_await slow, heddle::cancelled_error);
        }
    };
    run_virtually(code::main());
}

TEST(AioAwaitable, WorkGoesToAPoolInThreeWays) {
    struct code {
        static int twice(int x) { return 2 * x; }
        static aio::task<> main(heddle::thread_pool& pool) {
            EXPECT_EQ(co_await aio::to_thread(twice, 1), 2);
            EXPECT_EQ(co_await aio::run_in_executor(pool, twice, 2), 4);
            EXPECT_EQ(co_await pool.submit(twice, 3), 6);
            std::vector<heddle::future<int>> many;
            for (int i = 0; i < 100; ++i) many.push_back(pool.submit(twice, i));
            int sum = 0;
            auto c = aio::as_completed(std::move(many));
            while (auto next = co_await c.next()) sum += next->value();
            EXPECT_EQ(sum, 9900);
        }
    };
    heddle::thread_pool pool(2);
    aio::run(code::main(pool));
}

TEST(AioAwaitable, FuturesGoWhereATaskDoes) {
    struct code {
        static int twice(int x) { return 2 * x; }
        static aio::task<> main(heddle::thread_pool& pool) {
            EXPECT_EQ(co_await aio::timeout(1h, pool.submit(twice, 1)), 2);
            const auto both = co_await aio::gather(pool.submit(twice, 2), pool.submit(twice, 3));
            EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 10);
            EXPECT_EQ(co_await aio::spawn(pool.submit(twice, 4)), 8);
            EXPECT_EQ(co_await aio::shield(pool.submit(twice, 5)), 10);
            EXPECT_EQ(co_await aio::timeout(1h, aio::to_thread(twice, 6)), 12);
            std::vector<heddle::future<int>> some;
            for (int i = 0; i < 3; ++i) some.push_back(pool.submit(twice, i));
            const auto outcomes = co_await aio::gather_outcomes(some);
            EXPECT_EQ(outcomes.at(2).value(), 4);
            const auto nested =
                co_await aio::timeout(1h, aio::gather(pool.submit(twice, 7), aio::sleep_for(1ms)));
            EXPECT_EQ(std::get<0>(nested), 14);
            bool ran = false;
            co_await aio::with_task_group([&](aio::task_group& g) -> aio::task<> {
                g.spawn(aio::sleep_for(1ms));
                g.spawn(pool.submit([&ran] { ran = true; }));
                co_return;
            });
            EXPECT_TRUE(ran);
        }
    };
    heddle::thread_pool pool(1);
    aio::run(code::main(pool));
    EXPECT_EQ(aio::run(pool.submit(code::twice, 8)), 16);
    aio::run(aio::sleep_for(1ms));
}

} // namespace
