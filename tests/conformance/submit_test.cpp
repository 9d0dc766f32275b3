/// What every executor does with one task: results, arguments, options, order, cancellation.
#include "executors.hpp"
#include "support/lost_failures.hpp"

#include <heddle/detail/test_clock.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::test::blockade;

namespace {

// --- what works across processes too: plain functions, values ----------------------------------

template <class Kind>
class Submit : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(Submit, heddle::test::all_executors);

int add(int a, int b) {
    return a + b;
}

TYPED_TEST(Submit, IsAnExecutor) {
    static_assert(heddle::executor<typename TypeParam::executor>);
    EXPECT_EQ(this->pool().worker_count(), TypeParam::workers);
}

TYPED_TEST(Submit, GivesTheValue) {
    EXPECT_EQ(this->submit(add, 2, 3).result(), 5);
    EXPECT_EQ(
        this->submit([](std::string a, const std::string& b) { return a + b; }, "x", "y").result(),
        "xy");
    const future<int> f = this->submit([] { return 1; });
    EXPECT_EQ(f.result(), 1);
    EXPECT_EQ(&f.result(), &f.result());
}

TYPED_TEST(Submit, RethrowsTheTasksOwnException) {
    EXPECT_THROW(this->submit([]() -> int { throw std::out_of_range("far"); }).result(),
                 std::out_of_range);
    const future<int> f = this->submit([]() -> int { throw std::out_of_range("far"); });
    for (int i = 0; i < 2; ++i) {
        try {
            f.result();
            FAIL();
        } catch (const std::out_of_range& e) {
            EXPECT_STREQ(e.what(), "far");
        }
    }
    EXPECT_TRUE(f.exception());
    EXPECT_FALSE(f.outcome().has_value());
    EXPECT_EQ(this->submit(add, 1, 1).result(), 2); // the worker lives on
}

TYPED_TEST(Submit, MovesMoveOnlyArgumentsAndResults) {
    auto f = this->pool().submit(
        [](std::unique_ptr<int> p) {
            ++*p;
            return p;
        },
        std::make_unique<int>(4));
    EXPECT_EQ(*std::move(f).result(), 5);
}

TYPED_TEST(Submit, VoidGivesNothing) {
    static_assert(std::is_void_v<decltype(this->submit([] {}).result())>);
    this->submit([] {}).result();
    EXPECT_TRUE(this->submit([] {}).outcome().has_value());
}

TYPED_TEST(Submit, StrictTakesCallablesWithoutCaptures) {
    EXPECT_EQ(this->book().track(this->pool().submit_strict(add, 4, 5)).result(), 9);
    EXPECT_EQ(this->book().track(this->pool().submit_strict([](int i) { return i; }, 6)).result(),
              6);
}

TYPED_TEST(Submit, ThousandsGiveTheirOwnValue) {
    std::vector<future<int>> futures;
    for (int i = 0; i < 5000; ++i) futures.push_back(this->submit(add, i, 1));
    for (int i = 0; i < 5000; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i + 1);
}

TYPED_TEST(Submit, AfterShutdownIsRefused) {
    this->pool().shutdown();
    EXPECT_THROW(this->submit(add, 1, 2), heddle::shutdown_error);
    EXPECT_THROW(this->pool().post([] {}), heddle::shutdown_error);
    EXPECT_THROW((void)this->pool().map([](int i) { return i; }, std::vector{1}),
                 heddle::shutdown_error);
}

// --- what needs the memory of the test ----------------------------------------------------------

template <class Kind>
class SubmitInProcess : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(SubmitInProcess, heddle::test::in_process_executors);

TYPED_TEST(SubmitInProcess, ThenGivesAFutureOfWhatTheNextGives) {
    future<int> f = this->submit(add, 1, 2);
    future<int> next =
        this->book().track(f.then([](future<int> done) { return done.result() * 10; }));
    EXPECT_EQ(next.result(), 30);
    future<std::string> text = this->book().track(
        next.then(this->pool(), [](future<int> done) { return std::to_string(done.result()); }));
    EXPECT_EQ(text.result(), "30");
    future<int> failing = this->submit([]() -> int { throw 5; });
    EXPECT_THROW(
        this->book().track(failing.then([](future<int> d) { return d.result(); })).result(), int);
}

TYPED_TEST(SubmitInProcess, AnEmptyCallableIsRefused) {
    EXPECT_THROW((void)this->pool().submit(static_cast<int (*)()>(nullptr)), std::invalid_argument);
    EXPECT_THROW((void)this->pool().submit(std::function<int()>()), std::invalid_argument);
    EXPECT_THROW(this->pool().post(static_cast<void (*)()>(nullptr)), std::invalid_argument);
    EXPECT_THROW((void)this->pool().map(std::function<int(int)>(), std::vector{1}),
                 std::invalid_argument);
    EXPECT_EQ(this->submit(add, 1, 2).result(), 3); // the pool goes on
}

TYPED_TEST(SubmitInProcess, FreezesItsArguments) {
    std::string text = "before";
    blockade hold(this->pool(), this->workers);
    future<std::string> frozen = this->submit([](const std::string& s) { return s; }, text);
    future<std::string> shared =
        this->submit([](const std::string& s) { return s; }, std::ref(text));
    text = "after";
    hold.open();
    EXPECT_EQ(frozen.result(), "before");
    EXPECT_EQ(shared.result(), "after");
}

TYPED_TEST(SubmitInProcess, GivesReferencesAndKeepsRvalueReferencesByValue) {
    int here = 1;
    future<int&> reference = this->submit([&]() -> int& { return here; });
    EXPECT_EQ(&reference.result(), &here);
    EXPECT_EQ(&this->submit([&]() -> int& { return here; }).result(), &here);
    std::string source = "moved out";
    auto by_value = this->submit([&]() -> std::string&& { return std::move(source); });
    static_assert(std::is_same_v<decltype(by_value), future<std::string>>);
    EXPECT_EQ(by_value.result(), "moved out");
}

TYPED_TEST(SubmitInProcess, CallsMembersAndMoveOnlyCallables) {
    struct counter {
        int at = 4;
        int plus(int n) const { return at + n; }
    } c;
    EXPECT_EQ(this->submit(&counter::plus, &c, 2).result(), 6);
    EXPECT_EQ(this->submit(&counter::at, c).result(), 4);
    EXPECT_EQ(this->submit([p = std::make_unique<int>(8)] { return *p; }).result(), 8);
}

TYPED_TEST(SubmitInProcess, HandsOutAStopToken) {
    std::latch running(1);
    future<int> f = this->submit(
        [&](std::stop_token stop, int n) {
            running.count_down();
            std::latch stopped(1);
            std::stop_callback on_stop(stop, [&] { stopped.count_down(); });
            stopped.wait();
            return n;
        },
        7);
    running.wait();
    EXPECT_TRUE(f.running());
    EXPECT_TRUE(f.request_stop());
    EXPECT_FALSE(f.request_stop());
    EXPECT_EQ(f.result(), 7);
    EXPECT_FALSE(f.request_stop());
    EXPECT_FALSE(this->submit([] {}).request_stop());
}

TYPED_TEST(SubmitInProcess, StopAskedForBeforeTheStartIsSeen) {
    blockade hold(this->pool(), this->workers);
    future<bool> f = this->submit([](std::stop_token stop) { return stop.stop_requested(); });
    EXPECT_TRUE(f.request_stop());
    hold.open();
    EXPECT_TRUE(f.result());
}

TYPED_TEST(SubmitInProcess, StartsInTheOrderOfSubmission) {
    if (this->workers > 1) GTEST_SKIP() << "only one worker shows the order";
    std::vector<int> order;
    {
        blockade hold(this->pool(), 1);
        for (int i = 0; i < 50; ++i) this->submit([&order, i] { order.push_back(i); });
    }
    this->destroy();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(SubmitInProcess, HigherPrioritiesStartFirstAndEqualOnesInOrder) {
    if (this->workers > 1) GTEST_SKIP() << "only one worker shows the order";
    std::vector<std::string> order;
    {
        blockade hold(this->pool(), 1);
        const std::array<int, 9> priorities{0, -1, 5, 0, 5, -7, 1, -1, 0};
        for (std::size_t i = 0; i < priorities.size(); ++i) {
            this->submit({.priority = priorities[i]}, [&order, p = priorities[i], i] {
                order.push_back(std::to_string(p) + '#' + std::to_string(i));
            });
        }
    }
    this->pool().shutdown();
    EXPECT_EQ(order,
              (std::vector<std::string>{
                  "5#2", "5#4", "1#6", "0#0", "0#3", "0#8", "-1#1", "-1#7", "-7#5"}));
}

TYPED_TEST(SubmitInProcess, CancelsWhatHasNotStarted) {
    auto held = std::make_shared<int>(1);
    blockade hold(this->pool(), this->workers);
    future<void> f = this->submit([held] { FAIL() << "was cancelled"; });
    EXPECT_EQ(held.use_count(), 2);
    EXPECT_FALSE(f.done());
    EXPECT_FALSE(f.running());
    int calls = 0;
    f.add_done_callback(this->book().callback([&](const future<void>& d) {
        ++calls;
        EXPECT_TRUE(d.cancelled());
    }));
    EXPECT_TRUE(f.cancel());
    EXPECT_TRUE(f.cancel());
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(held.use_count(), 1); // the callable is gone
    EXPECT_TRUE(f.done());
    EXPECT_TRUE(f.cancelled());
    EXPECT_THROW(f.result(), heddle::cancelled_error);
    EXPECT_TRUE(f.exception());
    EXPECT_EQ(this->pool().pending_count(), 0u);
}

TYPED_TEST(SubmitInProcess, DoesNotCancelWhatRunsOrIsDone) {
    std::latch running(1), go(1);
    future<int> f = this->submit([&] {
        running.count_down();
        go.wait();
        return 1;
    });
    running.wait();
    EXPECT_FALSE(f.cancel());
    EXPECT_TRUE(f.running());
    go.count_down();
    EXPECT_EQ(f.result(), 1);
    EXPECT_FALSE(f.cancel());
    EXPECT_FALSE(f.running());
    EXPECT_FALSE(f.cancelled());
}

TYPED_TEST(SubmitInProcess, CountsWhatIsQueued) {
    blockade hold(this->pool(), this->workers);
    EXPECT_EQ(this->pool().pending_count(), 0u);
    std::vector<future<void>> futures;
    for (int i = 0; i < 3; ++i) futures.push_back(this->submit([] {}));
    futures.push_back(this->submit({.priority = 2}, [] {}));
    EXPECT_EQ(this->pool().pending_count(), 4u);
    futures[0].cancel();
    EXPECT_EQ(this->pool().pending_count(), 3u);
    hold.open();
    for (future<void>& f : futures) f.wait();
    EXPECT_EQ(this->pool().pending_count(), 0u);
}

TYPED_TEST(SubmitInProcess, PostsRunAndTheirFailuresAreReportedAtOnce) {
    heddle::test::lost_failures lost;
    std::atomic<int> sum{0};
    std::string big(100, 'x');
    this->pool().post([&] { ++sum; });
    this->pool().post([&](int n) { sum += n; }, 10);
    this->pool().post([&, big] { sum += static_cast<int>(big.size()); });
    this->pool().post([] { throw std::runtime_error("small"); });
    this->pool().post([big] { throw std::runtime_error("large"); });
    this->destroy();
    EXPECT_EQ(sum, 111);
    ASSERT_EQ(lost.count(), 2u);
    EXPECT_EQ(lost.text(0).substr(0, 20), "std::runtime_error: ");
    EXPECT_NE(lost.at(0).address, nullptr);
    EXPECT_NE(lost.at(1).address, nullptr);
}

TYPED_TEST(SubmitInProcess, ResultForGivesUpAndTheTaskGoesOn) {
    heddle::detail::test_clock clock;
    std::latch go(1);
    future<int> f = this->submit([&] {
        go.wait();
        return 2;
    });
    std::thread waiter([&] { EXPECT_THROW(f.result_for(5s), heddle::timeout_error); });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    waiter.join();
    EXPECT_THROW(f.result_for(0s), heddle::timeout_error);
    EXPECT_THROW(f.result_for(-1s), heddle::timeout_error);
    EXPECT_FALSE(f.wait_for(0s));
    EXPECT_FALSE(f.done());
    go.count_down();
    EXPECT_EQ(f.result_for(std::chrono::hours::max()), 2);
    EXPECT_TRUE(f.wait_for(0s));
}

TYPED_TEST(SubmitInProcess, CallbacksRunOnceInOrderAlsoWhenAddedLate) {
    std::vector<int> order;
    std::latch go(1);
    future<int> f = this->submit([&] {
        go.wait();
        return 1;
    });
    for (int i = 0; i < 10; ++i) {
        f.add_done_callback(this->book().callback([&order, i](const future<int>& done) {
            EXPECT_TRUE(done.done());
            order.push_back(i);
        }));
    }
    go.count_down();
    this->destroy(); // a waiter may wake before the callbacks have run
    f.add_done_callback(this->book().callback([&](const future<int>&) { order.push_back(10); }));
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TYPED_TEST(SubmitInProcess, ThenOnAnExecutorThatTakesNoMoreIsCancelled) {
    heddle::promise<int> p;
    future<int> next = this->book().track(
        p.get_future().then(this->pool(), [](future<int> f) { return f.result(); }));
    this->pool().shutdown();
    p.set_value(1);
    EXPECT_TRUE(next.cancelled());
}

} // namespace
