/// wait, as_completed and results over every executor, also mixed.
#include "executors.hpp"

#include <heddle/detail/test_clock.hpp>

#include <algorithm>
#include <chrono>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::promise;
using heddle::return_when;
using heddle::test::blockade;

namespace {

template <class Kind>
class Wait : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(Wait, heddle::test::all_executors);

TYPED_TEST(Wait, ForAllGivesAllInOrderAndEachOnce) {
    std::vector<future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(this->submit([](int n) { return n; }, i));
    auto twice = futures;
    twice.insert(twice.end(), futures.begin(), futures.end());
    const auto [done, not_done] = heddle::wait(twice);
    EXPECT_EQ(done, futures);
    EXPECT_TRUE(not_done.empty());
}

TYPED_TEST(Wait, OfNothingReturnsAtOnce) {
    for (const auto until :
         {return_when::all_completed, return_when::first_completed, return_when::first_exception}) {
        const auto [done, not_done] = heddle::wait(std::vector<future<int>>(), {.until = until});
        EXPECT_TRUE(done.empty());
        EXPECT_TRUE(not_done.empty());
    }
    EXPECT_TRUE(heddle::results(std::vector<future<int>>()).empty());
    int steps = 0;
    for (auto& f : heddle::as_completed(std::vector<future<int>>())) steps += f.done();
    EXPECT_EQ(steps, 0);
}

TYPED_TEST(Wait, AnEmptyHandleIsRefused) {
    std::vector<future<int>> futures{this->submit([] { return 1; }), future<int>()};
    EXPECT_THROW(heddle::wait(futures), heddle::invalid_state_error);
    EXPECT_THROW((void)heddle::as_completed(futures), heddle::invalid_state_error);
    EXPECT_THROW(heddle::results(futures), heddle::invalid_state_error);
}

TYPED_TEST(Wait, FirstExceptionWithoutOneWaitsForAll) {
    std::vector<future<int>> futures;
    for (int i = 0; i < 5; ++i) futures.push_back(this->submit([](int n) { return n; }, i));
    EXPECT_EQ(heddle::wait(futures, {.until = return_when::first_exception}).done.size(), 5u);
}

TYPED_TEST(Wait, ResultsAreInInputOrderAndMoved) {
    std::vector<future<std::unique_ptr<int>>> futures;
    for (int i = 0; i < 5; ++i) {
        futures.push_back(this->pool().submit([](int n) { return std::make_unique<int>(n); }, i));
    }
    const auto all = heddle::results(std::move(futures));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(*all.at(static_cast<std::size_t>(i)), i);
    std::vector<future<void>> nothing{this->submit([] {}), this->submit([] {})};
    heddle::results(nothing);
}

TYPED_TEST(Wait, ResultsRethrowTheFirstFailureInInputOrder) {
    std::vector<future<int>> futures;
    for (int i = 0; i < 5; ++i) {
        futures.push_back(this->submit(
            [](int n) {
                if (n % 2 == 1) throw std::out_of_range(std::to_string(n));
                return n;
            },
            i));
    }
    try {
        heddle::results(futures);
        FAIL();
    } catch (const std::out_of_range& e) {
        EXPECT_STREQ(e.what(), "1");
    }
    for (auto& f : futures) EXPECT_TRUE(f.done());
}

// --- what needs the memory of the test ----------------------------------------------------------

template <class Kind>
class WaitInProcess : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(WaitInProcess, heddle::test::in_process_executors);

TYPED_TEST(WaitInProcess, FirstCompletedReturnsWithTheOthersPending) {
    promise<int> never;
    std::vector<future<int>> futures{never.get_future(), this->submit([] { return 1; })};
    const auto [done, not_done] = heddle::wait(futures, {.until = return_when::first_completed});
    EXPECT_EQ(done, (std::vector{futures[1]}));
    EXPECT_EQ(not_done, (std::vector{futures[0]}));
    never.set_value(0);
}

TYPED_TEST(WaitInProcess, FirstExceptionReturnsWithTheOthersPending) {
    promise<int> never;
    std::vector<future<int>> futures{
        never.get_future(), this->submit([] { return 1; }), this->submit([]() -> int { throw 2; })};
    const auto [done, not_done] = heddle::wait(futures, {.until = return_when::first_exception});
    EXPECT_EQ(not_done.front(), futures[0]);
    EXPECT_NE(std::ranges::find(done, futures[2]), done.end());
    never.set_value(0);
}

TYPED_TEST(WaitInProcess, ACancellationEndsNoFirstExceptionButFirstCompleted) {
    heddle::detail::test_clock clock;
    promise<int> never;
    blockade hold(this->pool(), this->workers);
    std::vector<future<int>> futures{never.get_future(), this->submit([] { return 1; })};
    EXPECT_TRUE(futures[1].cancel());
    std::thread waiter([&] {
        const auto seen =
            heddle::wait(futures, {.until = return_when::first_exception, .timeout = 5s});
        EXPECT_EQ(seen.done.size(), 1u);
        EXPECT_EQ(seen.not_done.size(), 1u);
    });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    waiter.join();
    EXPECT_EQ(heddle::wait(futures, {.until = return_when::first_completed}).done.size(), 1u);
    never.set_value(0);
}

TYPED_TEST(WaitInProcess, ACancellationWakesWhoeverWaits) {
    heddle::detail::test_clock clock;
    blockade hold(this->pool(), this->workers);
    future<int> f = this->submit([] { return 1; });
    std::thread one([&] { EXPECT_THROW(f.result_for(1h), heddle::cancelled_error); });
    std::thread many([&] {
        for (auto& done : heddle::as_completed(std::vector{f}, 1h)) EXPECT_TRUE(done.cancelled());
    });
    clock.wait_for_sleepers(2);
    EXPECT_TRUE(f.cancel());
    one.join();
    many.join();
}

TYPED_TEST(WaitInProcess, ATimeLimitIsNoError) {
    heddle::detail::test_clock clock;
    promise<int> never;
    std::vector<future<int>> futures{never.get_future(), this->submit([] { return 1; })};
    futures[1].wait();
    for (const auto until : {return_when::all_completed, return_when::first_exception}) {
        std::thread waiter([&] {
            const auto [done, not_done] = heddle::wait(futures, {.until = until, .timeout = 5s});
            EXPECT_EQ(done, (std::vector{futures[1]}));
            EXPECT_EQ(not_done, (std::vector{futures[0]}));
        });
        clock.wait_for_sleepers(1);
        clock.advance(5s);
        waiter.join();
        EXPECT_EQ(heddle::wait(futures, {.until = until, .timeout = 0s}).done.size(), 1u);
    }
    never.set_value(0);
}

TYPED_TEST(WaitInProcess, MixesExecutorsAndPromises) {
    heddle::thread_pool other(1);
    promise<int> p;
    std::vector<future<int>> futures{this->submit([] { return 1; }),
                                     this->book().track(other.submit([] { return 2; })),
                                     this->book().track(p.get_future()),
                                     this->book().track(heddle::make_ready_future(4))};
    p.set_value(3);
    EXPECT_EQ(heddle::wait(futures).done.size(), 4u);
    EXPECT_EQ(heddle::results(futures), (std::vector{1, 2, 3, 4}));
    int sum = 0;
    for (auto& f : heddle::as_completed(futures)) sum += f.result();
    EXPECT_EQ(sum, 10);
}

TYPED_TEST(WaitInProcess, AsCompletedGivesFinishOrderAndEachOnce) {
    std::vector<promise<int>> promises(5);
    std::vector<future<int>> futures;
    for (auto& p : promises) futures.push_back(p.get_future());
    futures.push_back(futures[0]);
    promises[2].set_value(2); // done before: given first
    promises[0].set_value(0);
    auto order = heddle::as_completed(futures);
    auto it = order.begin();
    EXPECT_EQ(it->result(), 0);
    ++it;
    EXPECT_EQ(it->result(), 2);
    for (const int i : {4, 1, 3}) {
        this->submit([&, i] { promises[static_cast<std::size_t>(i)].set_value(i); }).wait();
        ++it;
        EXPECT_EQ(it->result(), i);
    }
    ++it;
    EXPECT_TRUE(it == order.end());
}

TYPED_TEST(WaitInProcess, AsCompletedKeysAMap) {
    std::unordered_map<future<int>, std::string> names;
    for (const std::string name : {"one", "two", "three"}) {
        names[this->submit([](std::size_t n) { return static_cast<int>(n); }, name.size())] = name;
    }
    std::size_t seen = 0;
    for (auto& f : heddle::as_completed(names | std::views::keys)) {
        EXPECT_EQ(static_cast<std::size_t>(f.result()), names.at(f).size());
        ++seen;
    }
    EXPECT_EQ(seen, 3u);
}

TYPED_TEST(WaitInProcess, AsCompletedSaysHowManyAreUnfinished) {
    heddle::detail::test_clock clock;
    promise<int> a, b;
    std::vector<future<int>> futures{
        a.get_future(), this->submit([] { return 1; }), b.get_future()};
    auto order = heddle::as_completed(futures, 5s);
    auto it = order.begin();
    EXPECT_EQ(it->result(), 1);
    std::thread waiter([&] {
        try {
            ++it;
            ADD_FAILURE();
        } catch (const heddle::timeout_error& e) {
            EXPECT_STREQ(e.what(), "2 (of 3) futures unfinished");
        }
    });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    waiter.join();
    EXPECT_FALSE(futures[0].done());
    a.set_value(1);
    b.set_value(1);
}

TYPED_TEST(WaitInProcess, AsCompletedMayBeDroppedHalfWay) {
    promise<int> never;
    std::vector<future<int>> futures{this->submit([] { return 1; }), never.get_future()};
    {
        auto order = heddle::as_completed(futures);
        EXPECT_EQ(order.begin()->result(), 1);
    }
    never.set_value(2);
    EXPECT_EQ(futures[1].result(), 2);
}

TYPED_TEST(WaitInProcess, AsCompletedDoesNotKeepWhatItHasGiven) {
    auto held = std::make_shared<int>(1);
    std::vector<future<std::shared_ptr<int>>> futures;
    for (int i = 0; i < 2; ++i) futures.push_back(this->pool().submit([held] { return held; }));
    heddle::wait(futures);
    auto order = heddle::as_completed(std::exchange(futures, {}));
    auto it = order.begin();
    EXPECT_EQ(held.use_count(), 3);
    ++it;
    EXPECT_EQ(held.use_count(), 2);
    ++it;
    EXPECT_EQ(held.use_count(), 1);
}

TYPED_TEST(WaitInProcess, TakesFuturesInBraces) {
    const future<int> one = this->submit([] { return 1; }), two = this->submit([] { return 2; });
    EXPECT_EQ(heddle::wait({one, two}).done.size(), 2U);
    EXPECT_EQ(heddle::wait({one, two}, {.timeout = 0s}).not_done.size(), 0U);
    EXPECT_EQ(heddle::results({one, two}), (std::vector<int>{1, 2}));
    int sum = 0;
    for (const future<int>& each : heddle::as_completed({one, two}, 60s)) sum += each.result();
    EXPECT_EQ(sum, 3);
}

} // namespace
