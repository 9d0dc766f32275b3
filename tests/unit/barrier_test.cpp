#include <heddle/barrier.hpp>
#include <heddle/detail/test_clock.hpp>
#include <heddle/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::broken_barrier_error;
using heddle::detail::test_clock;

namespace {

/// Starts `count` threads that wait, and counts how they fared.
struct crowd {
    crowd(heddle::barrier& b, int count) {
        for (int i = 0; i < count; ++i) {
            threads.emplace_back([&] {
                try {
                    b.wait_for(1h);
                    ++passed;
                } catch (const broken_barrier_error&) {
                    ++broken;
                }
            });
        }
    }
    void join() {
        for (auto& t : threads) t.join();
    }
    std::atomic<int> passed{0}, broken{0};
    std::vector<std::thread> threads;
};

TEST(Barrier, LetsAllPassAndNumbersThemByArrival) {
    constexpr int parties = 4, rounds = 200;
    heddle::barrier b(parties);
    EXPECT_EQ(b.parties(), parties);
    std::vector<std::vector<int>> indices(parties);
    std::vector<std::thread> threads;
    for (auto& mine : indices) {
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) mine.push_back(b.wait());
        });
    }
    for (auto& t : threads) t.join();
    for (std::size_t i = 0; i < rounds; ++i) {
        std::vector<int> round;
        for (auto& mine : indices) round.push_back(mine[i]);
        std::sort(round.begin(), round.end());
        EXPECT_EQ(round, (std::vector{0, 1, 2, 3}));
    }
}

TEST(Barrier, NobodyPassesBeforeTheLastHasCome) {
    constexpr int parties = 3, rounds = 300;
    heddle::barrier b(parties);
    std::atomic<int> arrived{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < parties; ++t) {
        threads.emplace_back([&] {
            for (int i = 1; i <= rounds; ++i) {
                ++arrived;
                b.wait();
                EXPECT_GE(arrived, i * parties);
            }
        });
    }
    for (auto& t : threads) t.join();
}

TEST(Barrier, ForOnePartyNeverWaits) {
    heddle::barrier b(1);
    EXPECT_EQ(b.wait(), 0);
    EXPECT_EQ(b.wait_for(0s), 0);
    EXPECT_THROW(heddle::barrier(0), std::invalid_argument);
    EXPECT_THROW(heddle::barrier(-3), std::invalid_argument);
}

TEST(Barrier, ServesMoreThreadsThanParties) {
    heddle::barrier b(2);
    std::atomic<int> firsts{0}, lasts{0};
    std::latch enough(100);
    std::vector<std::thread> threads;
    for (int t = 0; t < 5; ++t) {
        threads.emplace_back([&] {
            try {
                for (int i = 0;; ++i) {
                    ++(b.wait() == 0 ? firsts : lasts);
                    if (i < 20) enough.count_down();
                }
            } catch (const broken_barrier_error&) {
            }
        });
    }
    enough.wait();
    b.abort();
    for (auto& t : threads) t.join();
    EXPECT_EQ(firsts, lasts); // each round has one of each
}

TEST(Barrier, BreaksForAllWhenOneTimesOut) {
    test_clock clock;
    heddle::barrier b(4);
    crowd others(b, 2);
    clock.wait_for_sleepers(2);
    std::thread hasty([&] { EXPECT_THROW(b.wait_for(1s), heddle::timeout_error); });
    clock.wait_for_sleepers(3);
    clock.advance(1s);
    hasty.join();
    others.join();
    EXPECT_EQ(others.broken, 2);
    EXPECT_TRUE(b.broken());
    EXPECT_THROW(b.wait(), broken_barrier_error);
}

TEST(Barrier, BreaksAtOnceForATimeoutOfZeroOrLess) {
    heddle::barrier b(2);
    EXPECT_THROW(b.wait_for(0s), heddle::timeout_error);
    EXPECT_TRUE(b.broken());
    b.reset();
    EXPECT_FALSE(b.broken());
    EXPECT_THROW(b.wait_for(-1s), heddle::timeout_error);
}

TEST(Barrier, AbortBreaksItAndResetMendsIt) {
    test_clock clock;
    heddle::barrier b(3);
    crowd waiting(b, 2);
    clock.wait_for_sleepers(2);
    b.abort();
    waiting.join();
    EXPECT_EQ(waiting.broken, 2);
    EXPECT_THROW(b.wait(), broken_barrier_error);
    b.reset();
    crowd again(b, 3);
    again.join();
    EXPECT_EQ(again.passed, 3);
}

TEST(Barrier, ResetTurnsAwayWhoWaits) {
    test_clock clock;
    heddle::barrier b(2);
    crowd waiting(b, 1);
    clock.wait_for_sleepers(1);
    b.reset();
    waiting.join();
    EXPECT_EQ(waiting.broken, 1);
    EXPECT_FALSE(b.broken());
}

TEST(Barrier, RunsItsActionOnceARoundBeforeAnybodyPasses) {
    int calls = 0; // no atomic: the barrier orders the action and those who pass
    heddle::barrier b(3, [&] { ++calls; });
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            for (int i = 1; i <= 100; ++i) {
                b.wait();
                EXPECT_EQ(calls, 2 * i - 1);
                b.wait(); // all have looked
            }
        });
    }
    for (auto& t : threads) t.join();
}

TEST(Barrier, BreaksWhenItsActionThrows) {
    test_clock clock;
    heddle::barrier b(2, [] { throw std::runtime_error("no"); });
    crowd other(b, 1);
    clock.wait_for_sleepers(1);
    EXPECT_THROW(b.wait(), std::runtime_error);
    other.join();
    EXPECT_EQ(other.broken, 1);
    EXPECT_TRUE(b.broken());
}

TEST(Barrier, ATimeoutDuringTheActionDoesNotBreakIt) {
    test_clock clock;
    std::latch in_action(1), timed_out(1);
    heddle::barrier b(2, [&] {
        in_action.count_down();
        timed_out.wait();
    });
    std::thread hasty([&] { EXPECT_EQ(b.wait_for(1s), 0); });
    clock.wait_for_sleepers(1);
    std::thread last([&] { EXPECT_EQ(b.wait(), 1); });
    in_action.wait();
    clock.advance(1s);
    timed_out.count_down();
    hasty.join();
    last.join();
    EXPECT_FALSE(b.broken());
}

TEST(Barrier, AbortDuringTheActionBreaksItForAll) {
    test_clock clock;
    heddle::barrier* self = nullptr;
    heddle::barrier b(2, [&] { self->abort(); });
    self = &b;
    crowd other(b, 1);
    clock.wait_for_sleepers(1);
    EXPECT_THROW(b.wait(), broken_barrier_error);
    other.join();
    EXPECT_EQ(other.broken, 1);
}

} // namespace
