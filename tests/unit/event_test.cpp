#include <heddle/detail/test_clock.hpp>
#include <heddle/event.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::detail::test_clock;

namespace {

TEST(Event, IsClearAtFirst) {
    heddle::event e;
    EXPECT_FALSE(e.is_set());
    EXPECT_FALSE(e.wait_for(0s));
    EXPECT_FALSE(e.wait_for(-1h));
}

TEST(Event, StaysSetUntilCleared) {
    heddle::event e;
    e.set();
    e.set();
    EXPECT_TRUE(e.is_set());
    e.wait();
    EXPECT_TRUE(e.wait_for(0s));
    EXPECT_TRUE(e.wait_for(std::chrono::hours::max()));
    e.clear();
    e.clear();
    EXPECT_FALSE(e.is_set());
    EXPECT_FALSE(e.wait_for(0s));
}

TEST(Event, ReleasesEverybody) {
    test_clock clock;
    heddle::event e;
    std::atomic<int> released{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 5; ++i) waiters.emplace_back([&] { released += e.wait_for(1h); });
    clock.wait_for_sleepers(5);
    e.set();
    for (auto& t : waiters) t.join();
    EXPECT_EQ(released, 5);
}

TEST(Event, ReleasesWhoWaitsThoughClearedAgainAtOnce) {
    test_clock clock;
    heddle::event e;
    std::vector<std::thread> waiters;
    for (int i = 0; i < 3; ++i) waiters.emplace_back([&] { EXPECT_TRUE(e.wait_for(1h)); });
    clock.wait_for_sleepers(3);
    e.set();
    e.clear();
    for (auto& t : waiters) t.join();
    EXPECT_FALSE(e.is_set());
}

TEST(Event, WaitGivesUpAfterItsTime) {
    test_clock clock;
    heddle::event e;
    std::thread waiter([&] { EXPECT_FALSE(e.wait_for(3s)); });
    clock.wait_for_sleepers(1);
    clock.advance(2s);
    clock.wait_for_sleepers(1); // not yet
    clock.advance(1s);
    waiter.join();
    EXPECT_FALSE(e.is_set());
}

TEST(Event, TimesOutOneWaiterAndReleasesTheOther) {
    test_clock clock;
    heddle::event e;
    std::thread hasty([&] { EXPECT_FALSE(e.wait_for(1s)); });
    std::thread patient([&] { EXPECT_TRUE(e.wait_for(1h)); });
    clock.wait_for_sleepers(2);
    clock.advance(1s);
    hasty.join();
    clock.wait_for_sleepers(1); // both slept on the same word: only one has left
    e.set();
    patient.join();
}

TEST(Event, PublishesWhatWasWrittenBeforeIt) {
    for (int i = 0; i < 500; ++i) {
        heddle::event e;
        int data = 0;
        std::thread setter([&] {
            data = 42;
            e.set();
        });
        e.wait();
        EXPECT_EQ(data, 42);
        setter.join();
    }
}

TEST(Event, MayBeDestroyedByWhoWasReleased) {
    for (int i = 0; i < 500; ++i) {
        auto e = std::make_unique<heddle::event>();
        std::thread setter([p = e.get()] { p->set(); });
        e->wait();
        e.reset();
        setter.join();
    }
}

} // namespace
