/// The lane for work from outside: strictly first-in first-out, each item once.
#include "../../src/pool/lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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
/// Whose stand-in `w` is; if it is none, no number of an item.
std::size_t number(const std::optional<work>& w) {
    return w ? reinterpret_cast<std::uintptr_t>(w->whole) / 64 - 1 : std::size_t(-2);
}

/// The first item, if there is one.
std::optional<work> take(lane& from, std::mutex& mutex) {
    work w;
    if (from.take(w)) return w;
    lane::block* retired = nullptr;
    std::uint64_t claimed = 0;
    {
        const std::lock_guard lock(mutex);
        claimed = from.claim_locked(retired);
    }
    from.retire(retired);
    return lane::read(claimed, w) ? std::optional(w) : std::nullopt;
}

/// Adds `w`; true if the wake flag was set.
bool push(lane& to, std::mutex& mutex, const work& w) {
    const lane::place place = to.announce();
    if (place.where) {
        lane::fill(*place.where, w);
        return place.wake;
    }
    const std::lock_guard lock(mutex);
    to.forget_attempts();
    return to.push_locked(w);
}

TEST(Lane, NeighboursShareNoCacheLine) {
    const auto block = std::make_unique<lane::block>();
    const std::size_t size = sizeof *block->at(0);
    const auto place = [&](std::size_t index) {
        return static_cast<std::size_t>(block->at(index) - block->slots.data());
    };
    std::set<std::size_t> places;
    for (std::size_t i = 0; i < lane::block_slots; ++i) {
        EXPECT_LT(place(i), block->slots.size());
        EXPECT_TRUE(places.insert(place(i)).second) << "index " << i << " has another one's slot";
        for (std::size_t j = i + 1; j < i + 15 && j < lane::block_slots; ++j) {
            const auto [low, high] = std::minmax({place(i), place(j)}); // by value
            EXPECT_LT((low * size + size - 1) / 64, high * size / 64) << i << " and " << j;
        }
    }
}

TEST(Lane, GivesTasksAndSmallCallsInTheOrderPushed) {
    lane l;
    std::mutex mutex;
    EXPECT_TRUE(l.looks_empty());
    EXPECT_FALSE(take(l, mutex));
    const auto call = [](void*, const void*) {};
    int payload = 0;
    push(l, mutex, item(0));
    push(l, mutex, {.call = {call, &payload, &l}});
    push(l, mutex, item(1));
    EXPECT_FALSE(l.looks_empty());
    EXPECT_EQ(number(take(l, mutex)), 0u);
    const work small = take(l, mutex).value();
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
        for (std::size_t i = 0; i < lane::block_slots + 7; ++i) push(l, mutex, item(in++));
        for (std::size_t i = 0; i < lane::block_slots; ++i)
            EXPECT_EQ(number(take(l, mutex)), out++);
    }
    while (out < in) EXPECT_EQ(number(take(l, mutex)), out++);
    EXPECT_FALSE(take(l, mutex));
}

TEST(Lane, ATakerThatLostItsCoreHoldsUpNoOther) {
    lane l;
    std::mutex mutex;
    for (std::size_t i = 0; i < 4 * lane::block_slots; ++i) push(l, mutex, item(i));
    lane::block* retired = nullptr;
    const std::uint64_t claimed = l.claim_locked(retired); // and now its thread is preempted
    ASSERT_EQ(retired, nullptr);
    for (std::size_t i = 1; i < 2 * lane::block_slots + 1; ++i) {
        EXPECT_EQ(number(take(l, mutex)), i);
    }
    work late;
    ASSERT_TRUE(lane::read(claimed, late));
    EXPECT_EQ(number(late), 0u);
    // The block that was late is used again like the others.
    for (std::size_t round = 0; round < 4; ++round) {
        for (std::size_t i = 0; i < lane::block_slots; ++i) push(l, mutex, item(7));
    }
    for (std::size_t i = 2 * lane::block_slots + 1; i < 4 * lane::block_slots; ++i) {
        EXPECT_EQ(number(take(l, mutex)), i);
    }
    for (std::size_t i = 0; i < 4 * lane::block_slots; ++i) {
        EXPECT_EQ(number(take(l, mutex)), 7u);
    }
    EXPECT_FALSE(take(l, mutex));
}

TEST(Lane, GivesEachItemOnceAndEachProducersInOrder) {
    constexpr std::size_t producers = 3, each = 20'000, items = producers * each;
    lane l;
    std::mutex mutex;
    std::vector<std::atomic<int>> taken(items);
    std::atomic<std::size_t> left{items};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            std::vector<std::size_t> next(producers, 0);
            while (left > 0) {
                const std::optional<work> w = take(l, mutex);
                if (!w) {
                    std::this_thread::yield();
                    continue;
                }
                --left;
                ++taken[number(w)];
                // What one taker gets from one producer is in order.
                EXPECT_GE(number(w) % each, next[number(w) / each]);
                next[number(w) / each] = number(w) % each + 1;
            }
        });
    }
    for (std::size_t p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (std::size_t i = 0; i < each; ++i) push(l, mutex, item(p * each + i));
        });
    }
    for (auto& t : threads) t.join();
    for (std::size_t i = 0; i < items; ++i) EXPECT_EQ(taken[i], 1) << i;
    EXPECT_EQ(l.pushed(), items);
    EXPECT_TRUE(l.looks_empty());
}

TEST(Lane, TellsThoseWhoPushAfterTheWakeFlagWasSet) {
    lane l;
    std::mutex mutex;
    EXPECT_FALSE(push(l, mutex, item(0)));
    l.set_wake(true);
    // Both ways of adding, over the end of a block too.
    for (std::size_t i = 1; i <= 2 * lane::block_slots; ++i) EXPECT_TRUE(push(l, mutex, item(i)));
    l.set_wake(false);
    EXPECT_FALSE(push(l, mutex, item(2 * lane::block_slots + 1)));
    for (std::size_t i = 0; i < 2 * lane::block_slots + 2; ++i) {
        EXPECT_EQ(number(take(l, mutex)), i);
    }
}

TEST(Lane, HasNoRoomOnceClosedButGivesWhatItHolds) {
    lane l;
    std::mutex mutex;
    for (std::size_t i = 0; i < 3; ++i) push(l, mutex, item(i));
    const lane::place announced = l.announce();
    l.close();
    for (int i = 0; i < 100'000; ++i) { // more than the index has room for
        EXPECT_EQ(l.announce().where, nullptr);
        l.forget_attempts();
    }
    EXPECT_EQ(l.pushed(), 4u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(number(take(l, mutex)), i);
    EXPECT_FALSE(l.looks_empty());
    // Announced before the end: whoever takes it waits until it is there.
    std::thread late([&] { lane::fill(*announced.where, item(3)); });
    EXPECT_EQ(number(take(l, mutex)), 3u);
    late.join();
    EXPECT_FALSE(take(l, mutex));
    EXPECT_TRUE(l.looks_empty());
}

} // namespace
