/// The primitives between coroutines, in virtual time.
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::run_virtually;

namespace {

aio::task<> lock_for(aio::mutex& m, heddle::duration d, std::vector<int>& order, int name) {
    aio::mutex::guard held = co_await m.lock();
    order.push_back(name);
    co_await aio::sleep_for(d);
}

TEST(AioMutex, IsHadInTheOrderOfAsking) {
    struct code {
        static aio::task<> main() {
            aio::mutex m;
            std::vector<int> order;
            std::vector<aio::task<>> all;
            for (int i = 0; i < 4; ++i) all.push_back(lock_for(m, 1s, order, i));
            co_await aio::gather(std::move(all));
            EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
            EXPECT_FALSE(m.locked());
            const aio::mutex::guard one = m.try_lock();
            EXPECT_TRUE(one);
            EXPECT_FALSE(m.try_lock());
        }
    };
    run_virtually(code::main());
}

TEST(AioMutex, PassesOverACancelledWaiter) {
    struct code {
        static aio::task<> main() {
            aio::mutex m;
            std::vector<int> order;
            const auto first = aio::spawn(lock_for(m, 10s, order, 1));
            const auto second = aio::spawn(aio::timeout(5s, lock_for(m, 1s, order, 2)));
            const auto third = aio::spawn(lock_for(m, 1s, order, 3));
            EXPECT_THROW(co_await second, heddle::timeout_error);
            co_await first;
            co_await third;
            EXPECT_EQ(order, (std::vector{1, 3}));
        }
    };
    run_virtually(code::main());
}

aio::task<> count_event(aio::event& e, int& passed) {
    co_await e.wait();
    ++passed;
}

TEST(AioEvent, ReleasesEverybodyThoughClearedAtOnce) {
    struct code {
        static aio::task<> main() {
            aio::event e;
            int passed = 0;
            for (int i = 0; i < 3; ++i) (void)aio::spawn(count_event(e, passed));
            co_await aio::sleep_for(1s);
            EXPECT_EQ(passed, 0);
            e.set();
            e.clear();
            co_await aio::sleep_for(1s);
            EXPECT_EQ(passed, 3);
            EXPECT_THROW(co_await aio::timeout(1s, count_event(e, passed)), heddle::timeout_error);
        }
    };
    run_virtually(code::main());
}

aio::task<> use(aio::semaphore& s, int& users, int& most) {
    aio::semaphore::held_permit permit = co_await s.permit();
    most = std::max(most, ++users);
    co_await aio::sleep_for(1s);
    --users;
}

TEST(AioSemaphore, BoundsItsUsersAndLosesNoPermit) {
    struct code {
        static aio::task<> main() {
            aio::semaphore s(2);
            int users = 0, most = 0;
            std::vector<aio::task<>> all;
            for (int i = 0; i < 7; ++i) all.push_back(use(s, users, most));
            co_await aio::gather(std::move(all));
            EXPECT_EQ(most, 2);
            EXPECT_EQ(s.available(), 2u);
            // Cancelled while it waits, and while it holds.
            co_await s.acquire();
            co_await s.acquire();
            EXPECT_THROW(co_await aio::timeout(1s, use(s, users, most)), heddle::timeout_error);
            s.release(2);
            EXPECT_THROW(co_await aio::timeout(500ms, use(s, users, most)), heddle::timeout_error);
            EXPECT_EQ(s.available(), 2u);
        }
    };
    run_virtually(code::main());
}

TEST(AioCondition, WaitsWithTheMutexReleasedAndReturnsWithItHeld) {
    struct code {
        static aio::task<> produce(aio::mutex& m, aio::condition& c, int& jobs) {
            co_await aio::sleep_for(1s);
            aio::mutex::guard held = co_await m.lock();
            jobs = 1;
            c.notify_one();
        }
        static aio::task<> consume(aio::mutex& m, aio::condition& c, int& jobs) {
            aio::mutex::guard held = co_await m.lock();
            try {
                co_await c.wait(held, [&jobs] { return jobs > 0; });
            } catch (const heddle::cancelled_error&) {
                EXPECT_TRUE(held);
                EXPECT_TRUE(m.locked());
                throw;
            }
            EXPECT_TRUE(held);
            jobs = 0;
        }
        static aio::task<> main() {
            aio::mutex m;
            aio::condition c(m);
            int jobs = 0;
            (void)co_await aio::gather(consume(m, c, jobs), produce(m, c, jobs));
            EXPECT_EQ(jobs, 0);
            EXPECT_THROW(co_await aio::timeout(1s, consume(m, c, jobs)), heddle::timeout_error);
            EXPECT_FALSE(m.locked());
        }
    };
    run_virtually(code::main());
}

aio::task<std::size_t> arrive(aio::barrier& b, heddle::duration d) {
    co_await aio::sleep_for(d);
    co_return co_await b.wait();
}

TEST(AioBarrier, OpensWhenAllHaveCome) {
    struct code {
        static aio::task<> main() {
            aio::barrier b(3);
            EXPECT_THROW((void)co_await aio::timeout(1s, arrive(b, 0s)), heddle::timeout_error);
            for (int round = 0; round < 2; ++round) {
                const auto places =
                    co_await aio::gather(arrive(b, 3s), arrive(b, 1s), arrive(b, 2s));
                EXPECT_EQ(std::get<0>(places), 2u);
                EXPECT_EQ(std::get<1>(places), 0u);
                EXPECT_EQ(std::get<2>(places), 1u);
            }
        }
    };
    run_virtually(code::main());
}

/// One who came and was cancelled leaves no gap: somebody is always the first.
TEST(AioBarrier, NumbersThoseWhoAreThereWhenItOpens) {
    struct code {
        static aio::task<> main() {
            aio::barrier b(3);
            const auto leaves = aio::spawn(arrive(b, 1s));
            const auto second = aio::spawn(arrive(b, 2s));
            co_await aio::sleep_for(3s);
            leaves.cancel();
            const auto third = aio::spawn(arrive(b, 1s));
            co_await aio::sleep_for(2s);
            EXPECT_EQ(co_await b.wait(), 2u);
            EXPECT_EQ(co_await second, 0u);
            EXPECT_EQ(co_await third, 1u);
        }
    };
    run_virtually(code::main());
}

aio::task<> put_all(aio::queue<int>& q, int from, int to) {
    for (int i = from; i < to; ++i) co_await q.put(i);
}
aio::task<> sum_up(aio::queue<int>& q, long& sum) {
    for (;;) {
        const std::optional<int> item = co_await q.next();
        if (!item) co_return;
        sum += *item;
        q.task_done();
    }
}

TEST(AioQueue, GivesEveryItemOnceAndWaitsForRoom) {
    struct code {
        static aio::task<> main() {
            aio::queue<int> q(3);
            long sum = 0;
            const auto one = aio::spawn(sum_up(q, sum));
            const auto two = aio::spawn(sum_up(q, sum));
            (void)co_await aio::gather(put_all(q, 0, 50), put_all(q, 50, 100));
            co_await q.join();
            EXPECT_EQ(sum, 4950);
            q.shutdown();
            co_await one;
            co_await two;
            EXPECT_THROW((void)co_await q.get(), heddle::queue_shut_down_error);
            EXPECT_THROW(co_await q.put(1), heddle::queue_shut_down_error);
            EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
        }
    };
    run_virtually(code::main());
}

TEST(AioQueue, ShutDownLetsWaitersGoAndDropsOnRequest) {
    struct code {
        static aio::task<> main() {
            aio::queue<std::unique_ptr<int>> q(1);
            co_await q.put(std::make_unique<int>(1));
            const auto putter = aio::spawn(q.put(std::make_unique<int>(2)));
            co_await aio::sleep_for(1s);
            EXPECT_TRUE(q.full());
            EXPECT_FALSE(q.try_put(std::make_unique<int>(3)));
            q.shutdown(heddle::immediate);
            EXPECT_THROW(co_await putter, heddle::queue_shut_down_error);
            EXPECT_TRUE(q.empty());
            co_await q.join();
            EXPECT_THROW((void)q.try_get(), heddle::queue_shut_down_error);
        }
    };
    run_virtually(code::main());
}

/// The limit passes in the very turn in which the item comes, and in those around it.
TEST(AioQueue, LosesNoItemToATimedOutGetter) {
    struct code {
        static aio::task<> main(heddle::duration put_after) {
            aio::queue<int> q;
            const auto putter = aio::spawn(put_later(q, put_after));
            int got = 0;
            try {
                got = co_await aio::timeout(10ms, q.get());
            } catch (const heddle::timeout_error&) {
            }
            if (got == 0) got = co_await q.get();
            EXPECT_EQ(got, 42);
            EXPECT_TRUE(q.empty());
            co_await putter;
        }
        static aio::task<> put_later(aio::queue<int>& q, heddle::duration after) {
            co_await aio::sleep_for(after);
            co_await q.put(42);
        }
    };
    for (const heddle::duration d : {9'999'999ns, 10'000'000ns, 10'000'001ns, 0ns}) {
        run_virtually(code::main(d));
    }
}

/// One of each, and somebody who waits for it.
struct things {
    aio::event event;
    aio::semaphore semaphore{0};
    aio::mutex mutex;
    aio::mutex::guard held = mutex.try_lock();
    aio::mutex other;
    aio::condition condition{other};
    aio::barrier barrier{2};
    aio::queue<int> empty;
    aio::queue<int> full{1};

    static constexpr std::size_t all = 8;
    explicit things(std::vector<std::string>& ends) {
        EXPECT_TRUE(full.try_put(0));
        add(event.wait(), ends);
        add(semaphore.permit(), ends);
        add(mutex.lock(), ends);
        add(await_condition(*this), ends);
        add(barrier.wait(), ends);
        add(empty.get(), ends);
        add(full.put(1), ends);
        add(full.join(), ends);
    }

private:
    static aio::task<> await_condition(things& t) {
        aio::mutex::guard held = co_await t.other.lock();
        co_await t.condition.wait(held);
    }
    template <class Wait>
    static aio::task<> count_end(Wait wait, std::vector<std::string>& ends) {
        try {
            (void)co_await std::move(wait);
        } catch (const heddle::cancelled_error& e) {
            ends.emplace_back(e.what());
        }
    }
    template <class Wait>
    static void add(Wait wait, std::vector<std::string>& ends) {
        (void)aio::spawn(count_end(aio::spawn(std::move(wait)), ends));
    }
};

/// A main task that ends takes its locals with it, before the tasks that it left are cancelled.
TEST(AioPrimitives, EndTheWaitsOfWhoOutlivesThem) {
    struct code {
        static aio::task<> main(std::vector<std::string>& ends) {
            things t(ends);
            co_await aio::sleep_for(1s);
        }
    };
    std::vector<std::string> ends;
    run_virtually(code::main(ends));
    EXPECT_EQ(ends.size(), things::all);
}

/// What was handed over is not touched by who runs too late to find it.
TEST(AioPrimitives, EndTheWaitsOfWhoWasServedTooLate) {
    struct code {
        static aio::task<> main(std::vector<std::string>& ends) {
            {
                things t(ends);
                co_await aio::sleep_for(1s);
                t.event.set();
                t.semaphore.release();
                t.held.unlock();
                t.condition.notify_one();
                EXPECT_TRUE(t.empty.try_put(1));
                EXPECT_TRUE(t.full.try_get());
                t.full.task_done();
            }
            co_await aio::sleep_for(1s);
        }
    };
    std::vector<std::string> ends;
    run_virtually(code::main(ends));
    EXPECT_EQ(ends.size(), things::all - 2) << "all but the event and join, who need not look back";
    for (const auto& text : ends) EXPECT_NE(text.find("was destroyed"), std::string::npos) << text;
}

} // namespace
