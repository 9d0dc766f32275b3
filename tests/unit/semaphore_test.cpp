#include <heddle/detail/test_clock.hpp>
#include <heddle/error.hpp>
#include <heddle/semaphore.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::detail::test_clock;

namespace {

TEST(BoundedSemaphore, GivesAsManyPermitsAsItHas) {
    heddle::bounded_semaphore s(2);
    s.acquire();
    EXPECT_TRUE(s.try_acquire());
    EXPECT_FALSE(s.try_acquire());
    EXPECT_FALSE(s.try_acquire_for(0s));
    EXPECT_FALSE(s.try_acquire_for(-1s));
    s.release();
    EXPECT_TRUE(s.try_acquire_for(std::chrono::hours::max()));
}

TEST(BoundedSemaphore, RefusesToGrowPastItsStartAndStaysAsItWas) {
    heddle::bounded_semaphore s(2);
    EXPECT_THROW(s.release(), heddle::invalid_state_error);
    s.acquire();
    try {
        s.release(2);
        FAIL() << "accepted";
    } catch (const heddle::invalid_state_error& e) {
        EXPECT_NE(std::string(e.what()).find("1 of 2"), std::string::npos) << e.what();
    }
    EXPECT_TRUE(s.try_acquire());  // one was left,
    EXPECT_FALSE(s.try_acquire()); // and no more
    s.release(2);
    EXPECT_THROW(s.release(PTRDIFF_MAX), heddle::invalid_state_error);
}

TEST(BoundedSemaphore, RejectsBadNumbers) {
    EXPECT_THROW(heddle::bounded_semaphore(-1), std::invalid_argument);
    heddle::bounded_semaphore s(1);
    s.acquire();
    EXPECT_THROW(s.release(0), std::invalid_argument);
    EXPECT_THROW(s.release(-1), std::invalid_argument);
    s.release();
}

TEST(BoundedSemaphore, MayStartWithNoPermits) {
    heddle::bounded_semaphore s(0);
    EXPECT_FALSE(s.try_acquire());
    EXPECT_THROW(s.release(), heddle::invalid_state_error);
}

TEST(BoundedSemaphore, ReleasingSeveralWakesSeveral) {
    test_clock clock;
    heddle::bounded_semaphore s(3);
    for (int i = 0; i < 3; ++i) s.acquire();
    std::vector<std::thread> waiters;
    for (int i = 0; i < 3; ++i) waiters.emplace_back([&] { EXPECT_TRUE(s.try_acquire_for(1h)); });
    clock.wait_for_sleepers(3);
    s.release(3);
    for (auto& t : waiters) t.join();
    EXPECT_FALSE(s.try_acquire());
}

TEST(BoundedSemaphore, AWaiterThatTimedOutTakesNoPermit) {
    test_clock clock;
    heddle::bounded_semaphore s(1);
    s.acquire();
    std::thread waiter([&] { EXPECT_FALSE(s.try_acquire_for(1s)); });
    clock.wait_for_sleepers(1);
    clock.advance(1s);
    waiter.join();
    s.release();
    EXPECT_TRUE(s.try_acquire());
}

TEST(BoundedSemaphore, NeverLetsInMoreThanItsBound) {
    heddle::bounded_semaphore s(2);
    std::atomic<int> inside{0}, most{0}, entered{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2'000; ++i) {
                if (t == 0) {
                    while (!s.try_acquire_for(1us)) {
                    }
                } else {
                    s.acquire();
                }
                const int now = ++inside;
                int seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                ++entered;
                --inside;
                s.release();
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_LE(most, 2);
    EXPECT_EQ(entered, 8'000);
    EXPECT_TRUE(s.try_acquire() && s.try_acquire());
    EXPECT_FALSE(s.try_acquire());
}

} // namespace
