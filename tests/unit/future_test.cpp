/// Every member of future<T>, on futures that no executor made.
#include "support/lost_failures.hpp"

#include <heddle/detail/test_clock.hpp>
#include <heddle/detail/waiting.hpp>
#include <heddle/future.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::invalid_state_error;
using heddle::make_failed_future;
using heddle::make_ready_future;
using heddle::promise;

namespace {

static_assert(sizeof(future<std::string>) == 8);
static_assert(std::is_nothrow_copy_constructible_v<future<int>>);
static_assert(std::is_nothrow_move_constructible_v<future<int>>);

std::exception_ptr failure(int n) {
    return std::make_exception_ptr(n);
}

TEST(Future, AnEmptyHandleRefusesEverythingButValid) {
    future<int> source = make_ready_future(1);
    const future<int> taken = std::move(source);
    EXPECT_TRUE(taken.valid());
    for (future<int> f : {future<int>(), source}) { // NOLINT: used after the move on purpose
        EXPECT_FALSE(f.valid());
        EXPECT_THROW((void)f.result(), invalid_state_error);
        EXPECT_THROW((void)std::move(f).result(), invalid_state_error);
        EXPECT_THROW((void)f.result_for(1s), invalid_state_error);
        EXPECT_THROW((void)std::move(f).result_for(1s), invalid_state_error);
        EXPECT_THROW((void)f.result_until(std::chrono::steady_clock::now()), invalid_state_error);
        EXPECT_THROW((void)f.outcome(), invalid_state_error);
        EXPECT_THROW((void)std::move(f).outcome(), invalid_state_error);
        EXPECT_THROW((void)f.exception(), invalid_state_error);
        EXPECT_THROW(f.wait(), invalid_state_error);
        EXPECT_THROW((void)f.wait_for(1s), invalid_state_error);
        EXPECT_THROW((void)f.wait_until(std::chrono::steady_clock::now()), invalid_state_error);
        EXPECT_THROW((void)f.done(), invalid_state_error);
        EXPECT_THROW((void)f.running(), invalid_state_error);
        EXPECT_THROW((void)f.cancelled(), invalid_state_error);
        EXPECT_THROW((void)f.cancel(), invalid_state_error);
        EXPECT_THROW((void)f.request_stop(), invalid_state_error);
        EXPECT_THROW(f.add_done_callback([](const future<int>&) {}), invalid_state_error);
        EXPECT_THROW((void)f.then([](const future<int>&) {}), invalid_state_error);
    }
}

TEST(Future, IsAKeyThatEqualsItsCopies) {
    const future<int> a = make_ready_future(1);
    const future<int> b = make_ready_future(1);
    const future<int> copy = a;
    EXPECT_EQ(a, copy);
    EXPECT_NE(a, b);
    EXPECT_EQ(future<int>(), future<int>());
    EXPECT_NE(a, future<int>());
    EXPECT_EQ(std::hash<future<int>>()(a), std::hash<future<int>>()(copy));
    std::unordered_map<future<int>, std::string> names{{a, "a"}, {b, "b"}};
    EXPECT_EQ(names.at(copy), "a");
    EXPECT_EQ(names.size(), 2u);
}

TEST(Future, AnLvalueGivesTheSameReferenceEachTime) {
    const future<std::string> f = make_ready_future(std::string("text"));
    static_assert(std::is_same_v<decltype(f.result()), const std::string&>);
    EXPECT_EQ(&f.result(), &f.result());
    EXPECT_EQ(&f.result(), &f.result_for(0s));
    EXPECT_EQ(&f.result(), &f.result_until(std::chrono::system_clock::now()));
    EXPECT_EQ(f.result(), "text");
}

TEST(Future, AnRvalueIsMovedOutOfTheOnlyHandle) {
    future<std::string> f = make_ready_future(std::string(50, 'a'));
    const char* const memory = f.result().data();
    const std::string taken = std::move(f).result();
    EXPECT_EQ(taken.data(), memory);
    EXPECT_FALSE(f.valid()); // NOLINT: that is what is tested
}

TEST(Future, AnRvalueIsCopiedWhileOtherHandlesExist) {
    future<std::string> f = make_ready_future(std::string(50, 'a'));
    const future<std::string> other = f;
    EXPECT_EQ(std::move(f).result(), std::string(50, 'a'));
    EXPECT_FALSE(f.valid()); // NOLINT
    EXPECT_EQ(other.result(), std::string(50, 'a'));
}

TEST(Future, AMoveOnlyRvalueIsKeptWhileOtherHandlesExist) {
    future<std::unique_ptr<int>> f = make_ready_future(std::make_unique<int>(3));
    future<std::unique_ptr<int>> other = f;
    EXPECT_THROW((void)std::move(f).result(), invalid_state_error);
    EXPECT_THROW((void)std::move(f).result_for(1s), invalid_state_error); // NOLINT
    EXPECT_TRUE(f.valid());
    EXPECT_EQ(*f.result(), 3);
    other = {};
    EXPECT_EQ(*std::move(f).result(), 3);
}

TEST(Future, AMoveOnlyRvalueIsKeptWhileACallbackHasNotRun) {
    promise<std::unique_ptr<int>> p;
    future<std::unique_ptr<int>> f = p.get_future();
    f.add_done_callback([&](const future<std::unique_ptr<int>>& done) {
        EXPECT_THROW((void)std::move(f).result(), invalid_state_error);
        EXPECT_EQ(*done.result(), 4);
    });
    p.set_value(std::make_unique<int>(4));
    EXPECT_EQ(*std::move(f).result(), 4);
}

TEST(Future, ATemporaryIsSafeInALoopAndByReference) {
    int sum = 0;
    for (const int i : make_ready_future(std::vector{1, 2, 3}).result()) sum += i;
    EXPECT_EQ(sum, 6);
    const std::string& r = make_ready_future(std::string(40, 'b')).result();
    EXPECT_EQ(r, std::string(40, 'b'));
}

TEST(Future, ReferencesAndVoid) {
    int here = 2;
    promise<int&> p;
    p.set_value(here);
    const future<int&> f = p.get_future();
    static_assert(std::is_same_v<decltype(f.result()), int&>);
    EXPECT_EQ(&f.result(), &here);
    EXPECT_EQ(&p.get_future().result(), &here);
    EXPECT_EQ(&f.outcome().value(), &here);
    const future<void> nothing = make_ready_future();
    static_assert(std::is_void_v<decltype(nothing.result())>);
    nothing.result();
    EXPECT_TRUE(nothing.outcome().has_value());
    EXPECT_EQ(nothing.exception(), nullptr);
}

TEST(Future, AFailureIsRethrownByAllWaysOfAsking) {
    future<int> f = make_failed_future<int>(failure(5));
    EXPECT_THROW((void)f.result(), int);
    EXPECT_THROW((void)f.result_for(0s), int);
    EXPECT_FALSE(f.outcome().has_value());
    EXPECT_THROW((void)f.outcome().value(), int);
    EXPECT_TRUE(f.exception());
    EXPECT_TRUE(f.done());
    EXPECT_FALSE(f.cancelled());
    EXPECT_THROW((void)std::move(f).result(), int);
    EXPECT_THROW((void)make_failed_future<int>(nullptr), std::invalid_argument);
}

TEST(Future, OutcomeMovesOutOfTheOnlyHandle) {
    future<std::unique_ptr<int>> f = make_ready_future(std::make_unique<int>(5));
    EXPECT_EQ(*std::move(f).outcome().value(), 5);
    EXPECT_EQ(make_ready_future(6).outcome().value(), 6);
    EXPECT_THROW(make_failed_future<int>(failure(1)).outcome().value(), int);
}

TEST(Future, ACancelledOneSaysSo) {
    promise<int> p;
    const future<int> f = p.get_future();
    EXPECT_FALSE(f.done() || f.running() || f.cancelled());
    EXPECT_TRUE(f.cancel());
    EXPECT_TRUE(f.done());
    EXPECT_TRUE(f.cancelled());
    EXPECT_FALSE(f.running());
    EXPECT_THROW((void)f.result(), heddle::cancelled_error);
    EXPECT_THROW((void)future<int>(f).result(), heddle::cancelled_error);
    EXPECT_THROW((void)f.outcome().value(), heddle::cancelled_error);
    EXPECT_THROW(std::rethrow_exception(f.exception()), heddle::cancelled_error);
}

TEST(Future, F43TimeLimitsAtTheEdges) {
    using namespace std::chrono;
    promise<int> p;
    const future<int> f = p.get_future();
    EXPECT_FALSE(f.wait_for(0s));
    EXPECT_FALSE(f.wait_for(-5h));
    EXPECT_FALSE(f.wait_for(nanoseconds::min()));
    EXPECT_FALSE(f.wait_for(duration<double>(-1e300)));
    EXPECT_FALSE(f.wait_for(duration<double>(std::numeric_limits<double>::quiet_NaN())));
    EXPECT_FALSE(f.wait_until(steady_clock::time_point::min()));
    EXPECT_FALSE(f.wait_until(system_clock::now() - 1h));
    std::vector<std::thread> waiters;
    std::latch waiting(6);
    const auto wait = [&](auto limit) {
        waiters.emplace_back([&, limit] {
            waiting.count_down();
            EXPECT_TRUE(f.wait_for(limit));
        });
    };
    wait(nanoseconds::max());
    wait(hours::max());
    wait(duration<double>(1e300));
    wait(duration<float>(std::numeric_limits<float>::infinity()));
    waiters.emplace_back([&] {
        waiting.count_down();
        EXPECT_TRUE(f.wait_until(steady_clock::time_point::max()));
    });
    waiters.emplace_back([&] {
        waiting.count_down();
        EXPECT_TRUE(f.wait_until(system_clock::time_point::max()));
    });
    waiting.wait();
    p.set_value(1);
    for (auto& w : waiters) w.join();
}

TEST(Future, F45CompletionWinsOverATimeLimitThatHasCome) {
    const future<int> f = make_ready_future(1);
    EXPECT_TRUE(f.wait_for(0s));
    EXPECT_EQ(f.result_for(-1s), 1);
    heddle::detail::test_clock clock;
    promise<int> p;
    const future<int> g = p.get_future();
    std::thread waiter([&] { EXPECT_TRUE(g.wait_for(1s)); });
    clock.wait_for_sleepers(1);
    p.set_value(2);
    clock.advance(1s); // at the same instant, as far as the waiter can tell
    waiter.join();
}

TEST(Future, ABatchIsNotWaitedForOnAClockThatStandsStill) {
    heddle::detail::test_clock clock;
    promise<int> front, later;
    const future<int> first = front.get_future(), second = later.get_future();
    std::latch begins(1);
    std::thread setter([&] {
        begins.wait();
        front.set_value(1);
    });
    begins.count_down();
    EXPECT_TRUE(heddle::detail::wait_for_batch(
        *first.task(), *second.task(), 1ms, heddle::detail::deadline::never()));
    setter.join();
    later.set_value(2);
}

TEST(Future, ManyThreadsMayAskOneResult) {
    promise<std::string> p;
    const future<std::string> f = p.get_future();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([f] { EXPECT_EQ(f.result(), "one"); });
        threads.emplace_back([&f] { EXPECT_EQ(f.result(), "one"); });
    }
    p.set_value("one");
    for (auto& t : threads) t.join();
}

TEST(Future, ThenTakesAnyCallableAndResult) {
    int here = 1;
    const future<int> f = make_ready_future(2);
    static_assert(std::is_same_v<decltype(f.then([](const future<int>&) {})), future<void>>);
    EXPECT_EQ(f.then([](future<int> d) { return d.result() + 1; }).result(), 3);
    EXPECT_EQ(&f.then([&](const future<int>&) -> int& { return here; }).result(), &here);
    auto boxed =
        f.then([p = std::make_unique<int>(9)](const future<int>&) mutable { return std::move(p); });
    EXPECT_EQ(*std::move(boxed).result(), 9);
}

TEST(Future, ThenOfATemporaryTakesAMoveOnlyResultOut) {
    // Whether it is done before the temporary goes, or after.
    const auto take = [](future<std::unique_ptr<int>> f) { return std::move(f).result(); };
    EXPECT_EQ(*make_ready_future(std::make_unique<int>(4)).then(take).result(), 4);
    heddle::thread_pool pool(1);
    EXPECT_EQ(*make_ready_future(std::make_unique<int>(5)).then(pool, take).result(), 5);
    for (int i = 0; i < 100; ++i) {
        const auto next = pool.submit([i] { return std::make_unique<int>(i); }).then(take);
        EXPECT_EQ(*next.result(), i);
    }
    int taken = 0;
    make_ready_future(std::make_unique<int>(6)).add_done_callback([&](auto f) {
        taken = *std::move(f).result();
    });
    EXPECT_EQ(taken, 6);
}

TEST(Future, ThenOfAnRvalueEmptiesItUnlessItThrows) {
    future<int> f = make_ready_future(2);
    const std::function<int(future<int>)> none;
    EXPECT_THROW((void)std::move(f).then(none), std::invalid_argument);
    EXPECT_TRUE(f.valid());
    const future<int> next = std::move(f).then([](future<int> d) { return d.result(); });
    EXPECT_FALSE(f.valid());
    EXPECT_EQ(next.result(), 2);
    // The object itself may go while its callback runs.
    auto held = std::make_unique<future<int>>(next);
    std::move(*held).add_done_callback([&](const future<int>&) { held.reset(); });
    EXPECT_EQ(held, nullptr);
    EXPECT_THROW(std::move(f).add_done_callback([](const future<int>&) {}),
                 heddle::invalid_state_error);
}

TEST(Future, ACancelledThenIsNotCalledAndLeavesItsSource) {
    promise<int> p;
    const future<int> f = p.get_future();
    future<void> next = f.then([](const future<int>&) { FAIL() << "was cancelled"; });
    EXPECT_TRUE(next.cancel());
    p.set_value(1);
    EXPECT_EQ(f.result(), 1);
}

TEST(Future, ThenOfACancelledOneIsCalledWithIt) {
    promise<int> p;
    const future<int> f = p.get_future();
    future<bool> next = f.then([](const future<int>& d) { return d.cancelled(); });
    f.cancel();
    EXPECT_TRUE(next.result());
}

TEST(Future, AssignmentsBetweenHandles) {
    future<int> a = make_ready_future(1);
    future<int> b = make_ready_future(2);
    a = b;
    EXPECT_EQ(a, b);
    const future<int>& same = a;
    a = same;
    EXPECT_EQ(a.result(), 2);
    b = std::move(a);
    EXPECT_EQ(b.result(), 2);
}

} // namespace
