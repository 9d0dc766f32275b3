/// What queues do on one thread: order, capacity, counting, shutting down, failing.
#include "../support/fail_nth.hpp"

#include <heddle/queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <new>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

template <class Queue>
std::vector<typename Queue::value_type> drain(Queue& q) {
    std::vector<typename Queue::value_type> all;
    while (!q.empty()) all.push_back(q.get());
    return all;
}

/// The rules that hold for all three queues.
template <class Queue>
class AnyQueue : public testing::Test {};
using queues =
    testing::Types<heddle::queue<int>, heddle::lifo_queue<int>, heddle::priority_queue<int>>;
TYPED_TEST_SUITE(AnyQueue, queues);

TYPED_TEST(AnyQueue, ReportsSizeEmptyFullAndCapacity) {
    TypeParam q(2);
    EXPECT_EQ(q.capacity(), 2u);
    EXPECT_TRUE(q.empty());
    EXPECT_FALSE(q.full());
    q.put(1);
    EXPECT_EQ(q.size(), 1u);
    EXPECT_FALSE(q.full());
    q.put(2);
    EXPECT_TRUE(q.full());
    EXPECT_FALSE(q.empty());
}

TYPED_TEST(AnyQueue, WithCapacityZeroIsNeverFull) {
    TypeParam q;
    EXPECT_EQ(q.capacity(), 0u);
    for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(q.try_put(i));
    EXPECT_FALSE(q.full());
    EXPECT_EQ(q.size(), 10'000u);
}

TYPED_TEST(AnyQueue, RejectsANegativeCapacityWithAMessage) {
    try {
        TypeParam q(static_cast<std::size_t>(-1));
        FAIL() << "accepted";
    } catch (const std::invalid_argument& e) {
        EXPECT_NE(std::string(e.what()).find("negative"), std::string::npos) << e.what();
    }
}

TYPED_TEST(AnyQueue, TriesOnceForATimeoutOfZeroOrLess) {
    TypeParam q(1);
    EXPECT_EQ(q.get_for(0s), std::nullopt);
    EXPECT_EQ(q.get_for(-5s), std::nullopt);
    EXPECT_EQ(q.get_for(std::chrono::hours::min()), std::nullopt);
    EXPECT_TRUE(q.put_for(1, 0s));
    EXPECT_FALSE(q.put_for(2, 0s));
    EXPECT_FALSE(q.put_for(2, -1s));
    EXPECT_FALSE(q.try_put(2));
    EXPECT_EQ(q.get_for(0s), 1);
}

TYPED_TEST(AnyQueue, TakesTheLongestTimeoutWithoutOverflow) {
    TypeParam q(1);
    EXPECT_TRUE(q.put_for(7, std::chrono::hours::max()));
    EXPECT_EQ(q.get_for(std::chrono::nanoseconds::max()), 7);
    EXPECT_TRUE(q.put_for(8, std::chrono::duration<double>::max()));
    EXPECT_EQ(q.try_get(), 8);
}

TYPED_TEST(AnyQueue, RefusesPutsOnceShutDownAndGivesWhatIsLeft) {
    TypeParam q;
    q.put(1);
    q.put(2);
    q.shutdown();
    EXPECT_THROW(q.put(3), heddle::queue_shut_down_error);
    EXPECT_THROW((void)q.try_put(3), heddle::queue_shut_down_error);
    EXPECT_THROW((void)q.put_for(3, 1s), heddle::queue_shut_down_error);
    EXPECT_EQ(q.size(), 2u);
    EXPECT_EQ(q.get() + q.get_for(1s).value(), 3);
    EXPECT_THROW(q.get(), heddle::queue_shut_down_error);
    EXPECT_THROW((void)q.try_get(), heddle::queue_shut_down_error);
    EXPECT_THROW((void)q.get_for(1s), heddle::queue_shut_down_error);
    EXPECT_THROW((void)q.get_tracked(), heddle::queue_shut_down_error);
}

TYPED_TEST(AnyQueue, RefusesPutsWhenFullAndShutDown) {
    TypeParam q(1);
    q.put(1);
    q.shutdown();
    EXPECT_THROW((void)q.try_put(2), heddle::queue_shut_down_error);
    EXPECT_EQ(q.get(), 1);
}

TYPED_TEST(AnyQueue, DropsWhatIsQueuedWhenShutDownAtOnce) {
    TypeParam q;
    q.put(1);
    q.put(2);
    q.shutdown(heddle::immediate);
    EXPECT_TRUE(q.empty());
    EXPECT_THROW(q.get(), heddle::queue_shut_down_error);
    EXPECT_THROW(q.put(3), heddle::queue_shut_down_error);
    q.join(); // the dropped ones count as done
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
}

TYPED_TEST(AnyQueue, CanBeShutDownTwiceAndThenAtOnce) {
    TypeParam q;
    q.put(1);
    q.shutdown();
    q.shutdown();
    EXPECT_EQ(q.size(), 1u);
    q.shutdown(heddle::immediate);
    EXPECT_TRUE(q.empty());
    q.join();
}

TYPED_TEST(AnyQueue, CountsTasksAndRefusesToCountTooMany) {
    TypeParam q;
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
    q.put(1);
    q.get();
    q.task_done();
    q.join();
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
    q.join(); // still usable
}

TYPED_TEST(AnyQueue, MayCountAnItemDoneThatIsStillQueued) {
    TypeParam q;
    q.put(1);
    q.task_done();
    q.shutdown(heddle::immediate); // must not count it a second time
    q.join();
}

TYPED_TEST(AnyQueue, CountsATrackedItemWhenItGoesOutOfScope) {
    TypeParam q;
    q.put(5);
    {
        auto item = q.get_tracked();
        EXPECT_EQ(*item, 5);
        auto moved = std::move(item);
        EXPECT_EQ(*moved, 5);
    }
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
    q.join();
}

TYPED_TEST(AnyQueue, IteratesUntilShutDownAndDrained) {
    TypeParam q;
    for (int i = 0; i < 5; ++i) q.put(i);
    q.shutdown();
    int sum = 0, count = 0;
    for (auto& item : q) {
        sum += item;
        ++count;
    }
    EXPECT_EQ(sum, 10);
    EXPECT_EQ(count, 5);
    for ([[maybe_unused]] auto& item : q) FAIL() << "there is nothing left";
}

TYPED_TEST(AnyQueue, KeepsItsStateWhenAPutRunsOutOfMemory) {
    constexpr int items = 100;
    int failures = 0;
    TypeParam q;
    for (int i = 0; i < items; ++i) {
        try {
            heddle::test::fail_nth failing(0);
            q.put(i);
        } catch (const std::bad_alloc&) {
            ++failures;
            EXPECT_EQ(q.size(), static_cast<std::size_t>(i));
            q.put(i); // now there is memory
        }
    }
    EXPECT_GT(failures, 3);
    auto all = drain(q);
    std::sort(all.begin(), all.end());
    for (int i = 0; i < items; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

static_assert(std::ranges::input_range<heddle::queue<int>&>);
static_assert(std::ranges::input_range<heddle::queue<std::unique_ptr<int>>&>);
static_assert(!std::copy_constructible<heddle::queue<int>>);

TEST(Queue, GivesItemsInTheOrderTheyWerePut) {
    heddle::queue<int> q;
    // Wraps around and grows while wrapped.
    int next_in = 0, next_out = 0;
    for (int round = 1; round < 40; ++round) {
        for (int i = 0; i < round; ++i) q.put(next_in++);
        for (int i = 0; i < round / 2; ++i) EXPECT_EQ(q.get(), next_out++);
    }
    while (!q.empty()) EXPECT_EQ(q.get(), next_out++);
    EXPECT_EQ(next_out, next_in);
}

TEST(LifoQueue, GivesTheLastItemFirst) {
    heddle::lifo_queue<std::string> q;
    for (auto word : {"a", "b", "c"}) q.put(word);
    EXPECT_EQ(drain(q), (std::vector<std::string>{"c", "b", "a"}));
}

TEST(PriorityQueue, GivesTheSmallestItemFirst) {
    heddle::priority_queue<int> q;
    std::vector<int> expected;
    for (unsigned i = 0; i < 500; ++i) {
        const int value = static_cast<int>(i * 7919u % 257u);
        expected.push_back(value);
        q.put(value);
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(drain(q), expected);
}

TEST(PriorityQueue, TakesAnotherComparison) {
    heddle::priority_queue<int, std::greater<>> q(0, std::greater<>{});
    for (int i : {3, 9, 1}) q.put(i);
    EXPECT_EQ(drain(q), (std::vector{9, 3, 1}));
}

TEST(PriorityQueue, KeepsEqualItemsInTheOrderTheyWerePut) {
    const auto by_first = [](auto& a, auto& b) { return a.first < b.first; };
    heddle::priority_queue<std::pair<int, int>, decltype(by_first)> q(0, by_first);
    for (int i = 0; i < 300; ++i) q.put({i % 3, i});
    for (int i = 0; i < 100; ++i) { // also when puts and gets alternate
        const auto [key, number] = q.get();
        EXPECT_EQ(key, 0);
        EXPECT_EQ(number, 3 * i);
        q.put({1, 1000 + i});
    }
    int last = -1;
    while (!q.empty()) {
        const auto [key, number] = q.get();
        const int order = key * 10'000 + number;
        EXPECT_GT(order, last);
        last = order;
    }
}

TEST(PriorityQueue, LosesNothingWhenAComparisonThrows) {
    int left = -1;
    const auto less = [&left](auto& a, auto& b) {
        if (left >= 0 && left-- == 0) throw std::runtime_error("cannot compare");
        return *a < *b;
    };
    heddle::priority_queue<std::unique_ptr<int>, decltype(less)> q(0, less);
    for (int i = 20; i > 0; --i) q.put(std::make_unique<int>(i));
    auto item = std::make_unique<int>(0);
    int failures = 0;
    for (int n = 0; item; ++n) {
        left = n;
        try {
            q.put(std::move(item));
        } catch (const std::runtime_error&) {
            ++failures;
            ASSERT_NE(item, nullptr) << "the item stays with the caller";
            EXPECT_EQ(q.size(), 20u);
        }
    }
    EXPECT_GT(failures, 0);
    for (int expected = 0; expected <= 20;) {
        left = expected % 4;
        try {
            EXPECT_EQ(*q.get(), expected);
            ++expected;
        } catch (const std::runtime_error&) {
            left = -1;
            EXPECT_EQ(*q.get(), expected);
            ++expected;
        }
    }
}

TEST(Queue, LeavesTheItemWithTheCallerWhenAPutFails) {
    heddle::queue<std::unique_ptr<int>> q(1);
    q.put(std::make_unique<int>(1));
    auto item = std::make_unique<int>(2);
    EXPECT_FALSE(q.try_put(std::move(item)));
    ASSERT_NE(item, nullptr);
    EXPECT_FALSE(q.put_for(std::move(item), 0s));
    ASSERT_NE(item, nullptr);
    q.shutdown();
    EXPECT_THROW(q.put(std::move(item)), heddle::queue_shut_down_error);
    ASSERT_NE(item, nullptr);
    EXPECT_EQ(*item, 2);
}

template <template <class...> class Queue>
void leaves_the_item_when_memory_runs_out() {
    Queue<std::unique_ptr<int>> q;
    int failures = 0;
    for (int i = 0; i < 50; ++i) {
        auto item = std::make_unique<int>(i);
        try {
            heddle::test::fail_nth failing(0);
            q.put(std::move(item));
        } catch (const std::bad_alloc&) {
            ++failures;
            ASSERT_NE(item, nullptr);
            q.put(std::move(item));
        }
    }
    EXPECT_GT(failures, 2);
    EXPECT_EQ(q.size(), 50u);
}
template <class T>
using pointer_priority_queue = heddle::priority_queue<T>;

TEST(Queue, LeavesTheItemWithTheCallerWhenMemoryRunsOut) {
    leaves_the_item_when_memory_runs_out<heddle::queue>();
    leaves_the_item_when_memory_runs_out<heddle::lifo_queue>();
    leaves_the_item_when_memory_runs_out<pointer_priority_queue>();
}

/// A type whose moves fail on demand.
struct brittle {
    explicit brittle(int v) : value(v) {}
    brittle(const brittle&) = default;
    brittle(brittle&& other) : value(other.value) {
        if (fail) throw std::runtime_error("cannot move");
    }
    int value;
    static inline bool fail = false;
};

TEST(Queue, KeepsTheItemWhenItsMoveThrows) {
    heddle::queue<brittle> q;
    brittle item(1);
    brittle::fail = true;
    EXPECT_THROW(q.put(std::move(item)), std::runtime_error);
    EXPECT_TRUE(q.empty());
    brittle::fail = false;
    q.put(std::move(item));
    brittle::fail = true;
    EXPECT_THROW(q.get(), std::runtime_error);
    EXPECT_EQ(q.size(), 1u);
    brittle::fail = false;
    EXPECT_EQ(q.get().value, 1);
    EXPECT_TRUE(q.empty());
}

TEST(Queue, CopiesAnLvalueAndTakesBraces) {
    heddle::queue<std::pair<int, std::string>> q;
    const std::pair<int, std::string> one{1, "one"};
    q.put(one);
    q.put({2, "two"});
    EXPECT_TRUE(q.try_put({3, "three"}));
    EXPECT_EQ(one.second, "one");
    EXPECT_EQ(q.get(), one);
    EXPECT_EQ(q.get().second, "two");
}

TEST(Queue, DestroysWhatIsLeft) {
    auto watched = std::make_shared<int>(1);
    {
        heddle::queue<std::shared_ptr<int>> q;
        for (int i = 0; i < 20; ++i) q.put(watched);
        q.get();
        EXPECT_EQ(watched.use_count(), 20);
    }
    EXPECT_EQ(watched.use_count(), 1);
    heddle::queue<std::shared_ptr<int>> q;
    q.put(watched);
    q.shutdown(heddle::immediate);
    EXPECT_EQ(watched.use_count(), 1);
}

TEST(Queue, DropsItemsWithoutHoldingItsLock) {
    heddle::queue<std::shared_ptr<void>> q;
    std::size_t seen = 99;
    q.put(std::shared_ptr<void>(nullptr, [&](void*) {
        seen = q.size();
        EXPECT_THROW((void)q.try_get(), heddle::queue_shut_down_error);
    }));
    q.shutdown(heddle::immediate);
    EXPECT_EQ(seen, 0u);
}

} // namespace
