/// What the reference promises about coroutines, each line as a user would write it.
#include "support/lost_failures.hpp"
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>
#include <heddle/promise.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::lost_failures;
using heddle::test::run_virtually;

namespace {

aio::task<int> after(heddle::duration d, int x) {
    co_await aio::sleep_for(d);
    co_return x;
}
aio::task<> pause(heddle::duration d) {
    co_await aio::sleep_for(d);
}
std::vector<aio::task<int>> three() {
    std::vector<aio::task<int>> tasks;
    for (int i = 1; i <= 3; ++i) tasks.push_back(after(i * 1s, i));
    return tasks;
}

TEST(AioContract, GathersVectorsNamedOrMoved) {
    struct code {
        static aio::task<> main() {
            std::vector<int> all = co_await aio::gather(three(), {.limit = 10});
            EXPECT_EQ(all, (std::vector{1, 2, 3}));
            auto tasks = three();
            std::vector<heddle::outcome<int>> o = co_await aio::gather_outcomes(tasks);
            EXPECT_EQ(o.at(2).value(), 3);
            EXPECT_TRUE(tasks.empty());
            tasks = three();
            all = co_await aio::gather(tasks);
            EXPECT_EQ(all.size(), 3u);
            std::vector<aio::task<>> nothing;
            nothing.push_back(pause(1s));
            co_await aio::gather(std::move(nothing), {.limit = 1});
            std::vector<aio::task<std::unique_ptr<int>>> none;
            EXPECT_TRUE((co_await aio::gather_outcomes(std::move(none))).empty());
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, AsCompletedIsALoop) {
    struct code {
        static aio::task<> main() {
            auto tasks = three();
            int sum = 0;
            auto c = aio::as_completed(tasks);
            while (auto next = co_await c.next()) sum += next->value();
            EXPECT_EQ(sum, 6);
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, ATimedOutGetterTakesNothing) {
    struct code {
        static aio::task<> put_all(aio::queue<int>& q, int count) {
            for (int i = 0; i < count; ++i) {
                co_await aio::sleep_for(10ms);
                co_await q.put(i);
            }
        }
        static aio::task<> main() {
            aio::queue<int> q(1);
            constexpr int count = 200;
            const auto putter = aio::spawn(put_all(q, count));
            std::vector<int> got;
            int timeouts = 0;
            while (got.size() < count) {
                try {
                    // At every tenth, limit and item come at the same instant.
                    got.push_back(co_await aio::timeout(1ms, q.get()));
                } catch (const heddle::timeout_error&) {
                    ++timeouts;
                }
            }
            for (int i = 0; i < count; ++i) EXPECT_EQ(got.at(static_cast<std::size_t>(i)), i);
            EXPECT_GT(timeouts, 0);
            co_await putter;
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, APutThatFailsLeavesTheItem) {
    struct code {
        using queue = aio::queue<std::unique_ptr<int>>;
        static aio::task<> put(queue& q, std::unique_ptr<int>& item) {
            co_await q.put(std::move(item));
        }
        static aio::task<> main() {
            queue q(1);
            co_await q.put(std::make_unique<int>(1));
            auto item = std::make_unique<int>(2);
            EXPECT_FALSE(q.try_put(std::move(item)));
            const bool put_in_time = co_await q.put_for(std::move(item), 1s);
            EXPECT_FALSE(put_in_time);
            EXPECT_TRUE(item);
            EXPECT_THROW(co_await aio::timeout(1s, q.put(std::move(item))), heddle::timeout_error);
            EXPECT_TRUE(item);
            EXPECT_THROW(co_await aio::timeout(1s, put(q, item)), heddle::timeout_error);
            EXPECT_TRUE(item);
            const auto waiting = aio::spawn(put(q, item));
            co_await aio::sleep_for(1s);
            q.shutdown();
            EXPECT_THROW(co_await waiting, heddle::queue_shut_down_error);
            EXPECT_TRUE(item);
            EXPECT_THROW(co_await q.put(std::move(item)), heddle::queue_shut_down_error);
            EXPECT_TRUE(item);
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, ASpawnedPutOwnsItsItem) {
    struct code {
        static aio::task<> main() {
            aio::queue<std::string> q(1);
            std::string text = "a text that is too long to be stored in the string itself";
            const std::string copy = text;
            co_await q.put(text);
            EXPECT_EQ(text, copy);
            const auto first = aio::spawn(q.put(std::string(copy)));
            co_await aio::with_task_group([&](aio::task_group& g) -> aio::task<> {
                g.spawn(q.put(std::move(text)));
                co_await aio::sleep_for(1s);
                for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await q.get(), copy);
            });
            EXPECT_TRUE(first.done());
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, QueueHasTheVerbsOfTheOtherQueue) {
    struct code {
        static aio::task<> consume(aio::queue<int>& q, int& sum) {
            while (auto item = co_await q.next()) {
                sum += *item;
                q.task_done();
            }
        }
        static aio::task<> main() {
            aio::queue<int> q;
            EXPECT_EQ(co_await q.get_for(1s), std::nullopt);
            EXPECT_TRUE(co_await q.put_for(1, 1s));
            EXPECT_EQ(co_await q.get_for(1s), std::optional(1));
            q.task_done();
            co_await q.put(2);
            const auto joined = aio::spawn(q.join());
            {
                auto tracked = co_await q.get_tracked();
                EXPECT_EQ(*tracked, 2);
                co_await aio::sleep_for(1s);
                EXPECT_FALSE(joined.done());
            }
            co_await joined;
            EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
            int sum = 0;
            const auto consumer = aio::spawn(consume(q, sum));
            for (int i = 1; i <= 4; ++i) co_await q.put(i);
            co_await q.join();
            EXPECT_EQ(sum, 10);
            q.shutdown();
            co_await consumer;
            EXPECT_THROW((void)co_await q.get(), heddle::queue_shut_down_error);
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, EventHasATimedWait) {
    struct code {
        static aio::task<> main() {
            aio::event e;
            EXPECT_FALSE(co_await e.wait_for(1s));
            EXPECT_FALSE(co_await e.wait_for(0s));
            e.set();
            EXPECT_TRUE(co_await e.wait_for(1s));
            EXPECT_TRUE(co_await e.wait_for(0s));
            EXPECT_TRUE(e.is_set());
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, ConditionWantsItsOwnMutexHeld) {
    struct code {
        static aio::task<> produce(aio::mutex& m, aio::condition& c, int& stock) {
            for (int i = 0; i < 3; ++i) {
                co_await aio::sleep_for(1s);
                auto guard = co_await m.lock();
                ++stock;
                c.notify_one();
            }
        }
        static aio::task<> main() {
            aio::mutex m, other;
            aio::condition changed(m);
            int stock = 0;
            const auto producer = aio::spawn(produce(m, changed, stock));
            auto guard = co_await m.lock();
            co_await changed.wait(guard, [&] { return stock == 3; });
            EXPECT_TRUE(guard);
            EXPECT_EQ(stock, 3);
            guard.unlock();
            EXPECT_THROW(co_await changed.wait(guard), heddle::invalid_state_error);
            auto wrong = co_await other.lock();
            EXPECT_THROW(co_await changed.wait(wrong), heddle::invalid_state_error);
            EXPECT_TRUE(wrong);
            co_await producer;
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, GatherRefusesAnUsedTaskBeforeAnythingRuns) {
    struct code {
        static aio::task<> touch(bool& ran) {
            ran = true;
            co_return;
        }
        static aio::task<> main() {
            bool ran = false;
            std::vector<aio::task<>> tasks;
            tasks.push_back(touch(ran));
            tasks.push_back(touch(ran));
            aio::task<> taken = std::move(tasks[1]);
            EXPECT_THROW(co_await aio::gather(std::move(tasks)), heddle::invalid_state_error);
            EXPECT_FALSE(ran);
            co_await taken;
            ran = false;
            std::vector<aio::task<>> again;
            again.push_back(touch(ran));
            again.push_back(std::move(taken)); // not empty, but awaited
            EXPECT_THROW(co_await aio::gather(std::move(again)), heddle::invalid_state_error);
            EXPECT_FALSE(ran);
        }
    };
    const lost_failures lost; // the refused task was never awaited
    run_virtually(code::main());
}

/// A value whose second move throws.
struct brittle {
    int moves = 0;
    brittle() = default;
    brittle(brittle&& other) : moves(other.moves + 1) {
        if (moves == 2) throw std::runtime_error("broke");
    }
    brittle& operator=(brittle&&) = default;
};

TEST(AioContract, GatherPassesOnWhatAMoveThrows) {
    struct code {
        static aio::task<brittle> make() { co_return brittle(); }
        static aio::task<> main() {
            std::vector<aio::task<brittle>> tasks;
            tasks.push_back(make());
            EXPECT_THROW((void)co_await aio::gather(std::move(tasks)), std::runtime_error);
        }
    };
    run_virtually(code::main());
}

TEST(AioContract, DumpShowsChildrenBelowTheirParent) {
    struct code {
        static aio::task<int> parent() {
            const auto all = co_await aio::gather(after(1h, 1), after(2h, 2));
            co_return std::get<0>(all);
        }
        static aio::task<std::string> main() {
            const aio::handle<int> h = aio::spawn(parent());
            co_await aio::sleep_for(1s);
            std::ostringstream out;
            aio::dump_tasks(out);
            h.cancel();
            co_return out.str();
        }
    };
    const std::string text = run_virtually(code::main());
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    ASSERT_EQ(lines.size(), 4u) << text;
    EXPECT_NE(lines[0].find("::main"), std::string::npos) << text;
    EXPECT_NE(lines[0].find(" is running"), std::string::npos) << text;
    EXPECT_NE(lines[1].find("parent()"), std::string::npos) << text;
    EXPECT_NE(lines[1].find(" awaits its children in "), std::string::npos) << text;
    EXPECT_EQ(lines[2].rfind("  ", 0), 0u) << text;
    EXPECT_NE(lines[3].find("after("), std::string::npos) << text;
    EXPECT_NE(lines[3].find(" awaits sleep_for"), std::string::npos) << text;
}

/// The only worker sleeps in a loop, and what the loop waits for is behind it in the queue.
TEST(AioContract, ALoopInATaskOfAPoolMayAwaitTasksOfThatPool) {
    heddle::thread_pool pool(1);
    struct code {
        static aio::task<int> main(heddle::thread_pool& pool) {
            int sum = co_await pool.submit([] { return 1; });
            sum += co_await aio::run_in_executor(pool, [] { return 2; });
            co_return sum;
        }
    };
    EXPECT_EQ(pool.submit([&pool] { return aio::run(code::main(pool)); }).result(), 3);
}

TEST(AioContract, AFailureOfShieldedWorkThatNobodyAwaitsNamesTheCoroutine) {
    struct code {
        static aio::task<> fails_late() {
            co_await aio::sleep_for(2s);
            throw std::runtime_error("lost");
        }
        static aio::task<> main() {
            EXPECT_THROW(co_await aio::timeout(1s, aio::shield(fails_late())),
                         heddle::timeout_error);
            co_await aio::sleep_for(2s); // for as long as the work goes on
        }
    };
    lost_failures lost;
    run_virtually(code::main());
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_NE(lost.at(0).address, nullptr);
}

TEST(AioContract, EachFurtherFailureOfAGroupIsToldWithItsTextAndCoroutine) {
    struct code {
        static aio::task<> first() {
            co_await aio::sleep_for(0s);
            throw std::runtime_error("one");
        }
        static aio::task<> breaks_while_cancelled(const char* why) {
            try {
                co_await aio::sleep_for(1h);
            } catch (const heddle::cancelled_error&) {
            }
            throw std::runtime_error(why);
        }
        static aio::task<> group() {
            co_await aio::with_task_group([](aio::task_group& g) -> aio::task<> {
                g.spawn(first());
                g.spawn(breaks_while_cancelled("two"));
                g.spawn(breaks_while_cancelled("three"));
                co_return;
            });
        }
    };
    lost_failures lost;
    try {
        run_virtually(code::group());
        FAIL() << "nothing failed";
    } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "one");
    }
    ASSERT_EQ(lost.count(), 2u);
    EXPECT_EQ(lost.text(0), "std::runtime_error: two");
    EXPECT_EQ(lost.text(1), "std::runtime_error: three");
    for (const std::size_t i : {0U, 1U}) {
        const std::string& name = lost.at(i).task_name;
        EXPECT_NE(name.find("group that had failed already"), std::string::npos) << name;
        EXPECT_EQ(name.find("(ended)"), std::string::npos) << name;
    }
}

TEST(AioContract, AShortTimeLimitIsToldInMicroseconds) {
    try {
        run_virtually(aio::timeout(500us, pause(1s)));
        FAIL();
    } catch (const heddle::timeout_error& e) {
        EXPECT_NE(std::string(e.what()).find("limit of 500 µs"), std::string::npos) << e.what();
    }
}

} // namespace
