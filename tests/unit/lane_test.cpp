/// The lane for work from outside: strictly first-in first-out, each item once.
#include "../../src/pool/lane.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

using heddle::detail::lane;
using heddle::detail::task;
using heddle::detail::work;

namespace {

/// Stand-ins for tasks: addresses that are never followed.
work item(std::size_t n) {
    return {.whole = reinterpret_cast<task*>((n + 1) * 64)}; // NOLINT: never followed
}
std::size_t number(const work& w) {
    return reinterpret_cast<std::uintptr_t>(w.whole) / 64 - 1;
}

work take(lane& from, std::mutex& mutex) {
    if (work w = from.take()) return w;
    lane::block* retired = nullptr;
    work w;
    {
        const std::lock_guard lock(mutex);
        w = from.take_locked(retired);
    }
    from.retire(retired);
    return w;
}

TEST(Lane, GivesTasksAndSmallCallsInTheOrderPushed) {
    lane l;
    std::mutex mutex;
    EXPECT_TRUE(l.looks_empty());
    EXPECT_FALSE(take(l, mutex));
    const auto call = [](void*, const void*) {};
    int payload = 0;
    l.push(item(0));
    l.push({.call = {call, &payload, &l}});
    l.push(item(1));
    EXPECT_FALSE(l.looks_empty());
    EXPECT_EQ(number(take(l, mutex)), 0u);
    const work small = take(l, mutex);
    EXPECT_EQ(small.whole, nullptr);
    EXPECT_EQ(small.call.payload, &payload);
    EXPECT_EQ(small.call.address, &l);
    EXPECT_EQ(number(take(l, mutex)), 1u);
    EXPECT_FALSE(take(l, mutex));
    EXPECT_TRUE(l.looks_empty());
}

TEST(Lane, KeepsTheOrderOverManyBlocks) {
    lane l;
    std::mutex mutex;
    std::size_t in = 0, out = 0;
    for (int round = 0; round < 40; ++round) {
        for (std::size_t i = 0; i < lane::block_slots + 7; ++i) l.push(item(in++));
        for (std::size_t i = 0; i < lane::block_slots; ++i)
            EXPECT_EQ(number(take(l, mutex)), out++);
    }
    while (out < in) EXPECT_EQ(number(take(l, mutex)), out++);
    EXPECT_FALSE(take(l, mutex));
}

TEST(Lane, GivesEachItemOnceToManyTakers) {
    constexpr std::size_t items = 40'000;
    lane l;
    std::mutex mutex;
    std::vector<std::atomic<int>> taken(items);
    std::atomic<std::size_t> left{items};
    std::vector<std::thread> takers;
    for (int i = 0; i < 3; ++i) {
        takers.emplace_back([&] {
            std::size_t last = 0;
            while (left > 0) {
                const work w = take(l, mutex);
                if (!w) {
                    std::this_thread::yield();
                    continue;
                }
                --left;
                ++taken[number(w)];
                EXPECT_GE(number(w) + 1, last); // what one taker gets is in order
                last = number(w) + 1;
            }
        });
    }
    for (std::size_t i = 0; i < items; ++i) {
        const std::lock_guard lock(mutex);
        l.push(item(i));
    }
    for (auto& t : takers) t.join();
    for (std::size_t i = 0; i < items; ++i) EXPECT_EQ(taken[i], 1) << i;
}

} // namespace
