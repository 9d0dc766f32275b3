/// The worker's deque: its owner at one end, thieves at the other.
#include "../../src/pool/deque.hpp"
#include "support/fail_nth.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <thread>
#include <vector>

using heddle::detail::task;

namespace {

using deque = heddle::detail::deque;

/// Stand-ins for tasks: addresses that are never followed.
task* item(std::size_t n) {
    return reinterpret_cast<task*>((n + 1) * 64); // NOLINT: never followed
}
std::size_t number(task* t) {
    return reinterpret_cast<std::uintptr_t>(t) / 64 - 1;
}

TEST(Deque, TheOwnerTakesTheNewestAThiefTheOldest) {
    deque d;
    EXPECT_EQ(d.pop(), nullptr);
    EXPECT_EQ(d.steal(), nullptr);
    for (std::size_t i = 0; i < 4; ++i) d.push(item(i));
    EXPECT_FALSE(d.looks_empty());
    EXPECT_EQ(d.pop(), item(3));
    EXPECT_EQ(d.steal(), item(0));
    EXPECT_EQ(d.steal(), item(1));
    EXPECT_EQ(d.pop(), item(2));
    EXPECT_EQ(d.pop(), nullptr);
    EXPECT_EQ(d.steal(), nullptr);
    EXPECT_TRUE(d.looks_empty());
}

TEST(Deque, PopIfTakesOnlyTheNewest) {
    deque d;
    EXPECT_FALSE(d.pop_if(item(0)));
    d.push(item(0));
    d.push(item(1));
    EXPECT_FALSE(d.pop_if(item(0)));
    EXPECT_TRUE(d.pop_if(item(1)));
    EXPECT_TRUE(d.pop_if(item(0)));
    EXPECT_FALSE(d.pop_if(item(0))); // its slot still holds the address
    d.push(item(2));
    EXPECT_EQ(d.steal(), item(2));
    EXPECT_FALSE(d.pop_if(item(2)));
}

TEST(Deque, GrowsAndKeepsTheOrder) {
    deque d;
    for (std::size_t i = 0; i < 10; ++i) {
        d.push(item(i));
        EXPECT_EQ(d.steal(), item(i));
    }
    for (std::size_t i = 0; i < 5000; ++i) d.push(item(i));
    for (std::size_t i = 0; i < 2500; ++i) EXPECT_EQ(d.steal(), item(i));
    for (std::size_t i = 5000; i-- > 2500;) EXPECT_EQ(d.pop(), item(i));
    EXPECT_EQ(d.pop(), nullptr);
}

TEST(Deque, APushWithoutMemoryLeavesItAsItWas) {
    deque d;
    std::size_t pushed = 0;
    for (int i = 0; i < 1000; ++i) {
        const heddle::test::fail_nth failing(i % 2);
        try {
            d.push(item(pushed));
            ++pushed;
        } catch (const std::bad_alloc&) {
        }
    }
    EXPECT_GE(pushed, 64u);
    for (std::size_t i = 0; i < pushed; ++i) EXPECT_EQ(d.steal(), item(i));
    EXPECT_EQ(d.pop(), nullptr);
}

TEST(Deque, GivesEachItemOnceToOwnerAndThieves) {
    constexpr std::size_t items = 30'000;
    deque d;
    std::vector<std::atomic<int>> taken(items);
    std::atomic<bool> done{false};
    const auto note = [&](task* t) {
        if (t) ++taken[number(t)];
    };
    std::vector<std::thread> thieves;
    for (int i = 0; i < 3; ++i) {
        thieves.emplace_back([&] {
            while (!done) note(d.steal());
        });
    }
    for (std::size_t i = 0; i < items; ++i) {
        d.push(item(i));
        if (i % 3 == 0) note(d.pop());
        if (i % 5 == 0 && d.pop_if(item(i))) note(item(i));
    }
    while (task* t = d.pop()) note(t);
    done = true;
    for (auto& t : thieves) t.join();
    for (std::size_t i = 0; i < items; ++i) EXPECT_EQ(taken[i], 1) << i;
}

} // namespace
