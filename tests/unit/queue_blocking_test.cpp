/// What queues do between threads: blocking, waking, timing out, losing nothing.
#include <heddle/detail/test_clock.hpp>
#include <heddle/queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using heddle::detail::test_clock;

namespace {

constexpr auto long_time = 1h; // on the test clock, so that it never passes by itself

TEST(QueueBlocking, GetWaitsForAPut) {
    test_clock clock;
    heddle::queue<int> q;
    std::optional<int> got;
    std::thread getter([&] { got = q.get_for(long_time); });
    clock.wait_for_sleepers(1);
    q.put(4);
    getter.join();
    EXPECT_EQ(got, 4);
}

TEST(QueueBlocking, PutWaitsForRoom) {
    test_clock clock;
    heddle::queue<int> q(1);
    q.put(1);
    std::thread putter([&] { EXPECT_TRUE(q.put_for(2, long_time)); });
    clock.wait_for_sleepers(1);
    EXPECT_EQ(q.get(), 1);
    putter.join();
    EXPECT_EQ(q.get(), 2);
}

TEST(QueueBlocking, GetGivesUpAfterItsTime) {
    test_clock clock;
    heddle::queue<int> q;
    std::thread getter([&] { EXPECT_EQ(q.get_for(5s), std::nullopt); });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    getter.join();
    q.put(1); // the one who gave up takes nothing with it
    EXPECT_EQ(q.get(), 1);
}

TEST(QueueBlocking, PutGivesUpAfterItsTimeAndLeavesTheItem) {
    test_clock clock;
    heddle::queue<std::unique_ptr<int>> q(1);
    q.put(std::make_unique<int>(1));
    auto item = std::make_unique<int>(2);
    std::thread putter([&] { EXPECT_FALSE(q.put_for(std::move(item), 5s)); });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    putter.join();
    ASSERT_NE(item, nullptr);
    EXPECT_EQ(*item, 2);
    EXPECT_EQ(q.size(), 1u);
}

TEST(QueueBlocking, AnItemThatComesWithTheTimeLimitIsNotLost) {
    for (int round = 0; round < 200; ++round) {
        test_clock clock;
        heddle::queue<int> q;
        std::optional<int> got;
        std::thread getter([&] { got = q.get_for(1s); });
        clock.wait_for_sleepers(1);
        std::thread putter([&] { q.put(1); });
        clock.advance(1s);
        getter.join();
        putter.join();
        EXPECT_EQ(got.has_value() ? 0u : 1u, q.size()); // taken or still there
    }
}

TEST(QueueBlocking, ShutdownWakesAllGetters) {
    test_clock clock;
    heddle::queue<int> q;
    std::atomic<int> refused{0};
    std::vector<std::thread> getters;
    for (int i = 0; i < 4; ++i) {
        getters.emplace_back([&] {
            try {
                (void)q.get_for(long_time);
            } catch (const heddle::queue_shut_down_error&) {
                ++refused;
            }
        });
    }
    clock.wait_for_sleepers(4);
    q.shutdown();
    for (auto& t : getters) t.join();
    EXPECT_EQ(refused, 4);
}

TEST(QueueBlocking, ShutdownWakesAllPuttersAndTheyKeepTheirItems) {
    test_clock clock;
    heddle::queue<std::unique_ptr<int>> q(1);
    q.put(std::make_unique<int>(0));
    std::atomic<int> kept{0};
    std::vector<std::thread> putters;
    for (int i = 0; i < 4; ++i) {
        putters.emplace_back([&, item = std::make_unique<int>(i)]() mutable {
            try {
                (void)q.put_for(std::move(item), long_time);
            } catch (const heddle::queue_shut_down_error&) {
                kept += item != nullptr;
            }
        });
    }
    clock.wait_for_sleepers(4);
    q.shutdown();
    for (auto& t : putters) t.join();
    EXPECT_EQ(kept, 4);
    EXPECT_EQ(*q.get(), 0);
}

TEST(QueueBlocking, ImmediateShutdownWakesPuttersThoughThereIsRoom) {
    test_clock clock;
    heddle::queue<int> q(1);
    q.put(0);
    std::thread putter(
        [&] { EXPECT_THROW((void)q.put_for(1, long_time), heddle::queue_shut_down_error); });
    clock.wait_for_sleepers(1);
    q.shutdown(heddle::immediate);
    putter.join();
    EXPECT_TRUE(q.empty());
}

TEST(QueueBlocking, JoinReturnsWhenTheLastItemIsDone) {
    heddle::queue<int> q;
    for (int i = 0; i < 3; ++i) q.put(i);
    std::atomic<int> done{0};
    std::thread worker([&] {
        for (int i = 0; i < 3; ++i) {
            auto item = q.get_tracked();
            ++done;
        }
    });
    q.join();
    EXPECT_EQ(done, 3);
    worker.join();
}

TEST(QueueBlocking, JoinWaitsForAnItemInWorkAfterAnImmediateShutdown) {
    heddle::queue<int> q;
    q.put(1);
    q.put(2);
    std::latch taken(1), joining(1);
    std::atomic<bool> done{false};
    std::thread worker([&] {
        auto item = q.get_tracked();
        taken.count_down();
        joining.wait();
        done = true;
    });
    taken.wait();
    q.shutdown(heddle::immediate);
    joining.count_down();
    q.join();
    EXPECT_TRUE(done);
    worker.join();
}

TEST(QueueBlocking, ImmediateShutdownReleasesJoin) {
    heddle::queue<int> q;
    q.put(1);
    std::latch started(1);
    std::thread joiner([&] {
        started.count_down();
        q.join();
    });
    started.wait();
    q.shutdown(heddle::immediate);
    joiner.join();
}

/// An item that fails to move if it is marked so.
struct unmovable_if {
    explicit unmovable_if(bool fails) : fails_to_move(fails) {}
    unmovable_if(unmovable_if&& other) : fails_to_move(other.fails_to_move) {
        if (fails_to_move) throw std::runtime_error("cannot move");
    }
    bool fails_to_move;
};

TEST(QueueBlocking, APutThatFailsPassesItsRoomOn) {
    test_clock clock;
    heddle::queue<unmovable_if> q(1);
    q.put(unmovable_if(false));
    std::thread first(
        [&] { EXPECT_THROW((void)q.put_for(unmovable_if(true), long_time), std::runtime_error); });
    clock.wait_for_sleepers(1);
    std::thread second([&] { EXPECT_TRUE(q.put_for(unmovable_if(false), long_time)); });
    clock.wait_for_sleepers(2);
    q.get(); // wakes the first, who sleeps longest and fails
    first.join();
    second.join();
    EXPECT_EQ(q.size(), 1u);
}

TEST(QueueBlocking, AQueueMayBeDestroyedByWhoGotTheLastItem) {
    for (int i = 0; i < 300; ++i) {
        auto q = std::make_unique<heddle::queue<int>>();
        std::thread putter([p = q.get()] { p->put(1); });
        EXPECT_EQ(q->get(), 1);
        q.reset();
        putter.join();
    }
}

TEST(QueueBlocking, ARingOfQueuesPassesATokenRound) {
    constexpr int hops = 2'000;
    heddle::queue<int> a(1), b(1);
    std::thread other([&] {
        for (int& n : a) b.put(n + 1);
        b.shutdown();
    });
    int token = 0;
    while (token < hops) {
        a.put(token);
        token = b.get();
    }
    a.shutdown();
    other.join();
    EXPECT_EQ(token, hops);
}

/// Every item that was put is got exactly once, whatever the order and however it ends.
template <class Queue>
class QueueLedger : public testing::Test {
protected:
    static constexpr int threads = 4;
    static constexpr int each = 5'000;

    /// Puts until all is put or the queue is shut down; returns what was put.
    static std::vector<int> produce(Queue& q, int who) {
        std::vector<int> put;
        try {
            for (int i = 0; i < each; ++i) {
                const int item = who * each + i;
                if (i % 3 == 0) {
                    q.put(item);
                } else if (i % 3 == 1) {
                    while (!q.put_for(item, 1ms)) {
                    }
                } else {
                    while (!q.try_put(item)) std::this_thread::yield();
                }
                put.push_back(item);
            }
        } catch (const heddle::queue_shut_down_error&) {
        }
        return put;
    }
    static std::vector<int> consume(Queue& q, int who) {
        std::vector<int> got;
        try {
            if (who == 0) {
                for (int& item : q) got.push_back(item);
            } else if (who == 1) {
                while (true) got.push_back(q.get());
            } else {
                while (true) {
                    if (auto item = q.get_for(1ms)) got.push_back(*item);
                }
            }
        } catch (const heddle::queue_shut_down_error&) {
        }
        return got;
    }
    /// Runs them all; calls `meanwhile` on this thread; returns {put, got}, sorted.
    template <class F>
    static std::pair<std::vector<int>, std::vector<int>> run(Queue& q, F meanwhile) {
        std::vector<std::vector<int>> put(threads), got(threads);
        std::vector<std::thread> producers, consumers;
        for (int i = 0; i < threads; ++i) {
            const auto n = static_cast<std::size_t>(i);
            producers.emplace_back([&, i, n] { put[n] = produce(q, i); });
            consumers.emplace_back([&, i, n] { got[n] = consume(q, i); });
        }
        meanwhile();
        for (auto& t : producers) t.join();
        q.shutdown();
        for (auto& t : consumers) t.join();
        return {flatten(put), flatten(got)};
    }
    static std::vector<int> flatten(const std::vector<std::vector<int>>& parts) {
        std::vector<int> all;
        for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
        std::sort(all.begin(), all.end());
        return all;
    }
};
using ledger_queues =
    testing::Types<heddle::queue<int>, heddle::lifo_queue<int>, heddle::priority_queue<int>>;
TYPED_TEST_SUITE(QueueLedger, ledger_queues);

TYPED_TEST(QueueLedger, BalancesForAnyCapacity) {
    for (unsigned capacity : {0u, 1u, 2u, 64u}) {
        TypeParam q(capacity);
        const auto [put, got] = this->run(q, [] {});
        EXPECT_EQ(put.size(), static_cast<std::size_t>(this->threads * this->each));
        EXPECT_EQ(put, got) << "capacity " << capacity;
    }
}

TYPED_TEST(QueueLedger, BalancesWithAShutdownInTheMiddle) {
    for (unsigned capacity : {0u, 1u, 64u}) {
        TypeParam q(capacity);
        const auto [put, got] = this->run(q, [&] { q.shutdown(); });
        EXPECT_EQ(put, got) << "capacity " << capacity;
    }
}

TYPED_TEST(QueueLedger, LosesOnlyWhatIsDroppedByAnImmediateShutdown) {
    TypeParam q(64);
    const auto [put, got] = this->run(q, [&] { q.shutdown(heddle::immediate); });
    EXPECT_TRUE(std::includes(put.begin(), put.end(), got.begin(), got.end()));
    EXPECT_EQ(std::adjacent_find(got.begin(), got.end()), got.end()) << "got twice";
}

} // namespace
