/// Faults F07 to F09, F18, F19: callbacks and continuations, in long chains and in bad order.
#include "support/ledger.hpp"
#include "support/lost_failures.hpp"

#include <heddle/future.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using heddle::future;
using heddle::promise;
using heddle::thread_pool;
using heddle::test::ledger;
using heddle::test::lost_failures;

namespace {

TEST(Chains, F07ACallbackThatThrowsStopsNoOtherAndIsReported) {
    lost_failures lost;
    std::vector<int> ran;
    promise<int> p;
    future<int> f = p.get_future();
    f.add_done_callback([&](const future<int>&) { ran.push_back(1); });
    f.add_done_callback([&](const future<int>&) {
        ran.push_back(2);
        throw std::runtime_error("from the callback");
    });
    f.add_done_callback([&](const future<int>&) { ran.push_back(3); });
    p.set_value(7);
    EXPECT_EQ(ran, (std::vector{1, 2, 3}));
    EXPECT_EQ(f.result(), 7);
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.text(0), "std::runtime_error: from the callback");
    EXPECT_NE(lost.at(0).task_name.find("callback"), std::string::npos);
}

TEST(Chains, F07ACallbackThatThrowsWithTheLastHandleIsReported) {
    lost_failures lost;
    thread_pool pool(1);
    std::latch go(1);
    pool.submit([&] { go.wait(); }).add_done_callback([](future<void>) { throw 1; });
    go.count_down();
    pool.shutdown();
    EXPECT_EQ(lost.count(), 1u);
}

TEST(Chains, F08ACallbackAddedByACallbackRunsAtOnce) {
    ledger book;
    std::vector<int> ran;
    promise<void> p;
    future<void> f = p.get_future();
    f.add_done_callback(book.callback([&](const future<void>& done) {
        ran.push_back(1);
        done.add_done_callback(book.callback([&](const future<void>&) { ran.push_back(2); }));
    }));
    f.add_done_callback(book.callback([&](const future<void>&) { ran.push_back(3); }));
    p.set_value();
    f.add_done_callback(book.callback([&](const future<void>&) { ran.push_back(4); }));
    EXPECT_EQ(ran, (std::vector{1, 2, 3, 4}));
    book.expect_balanced();
}

TEST(Chains, F09ACallbackMayDestroyTheLastHandles) {
    auto p = std::make_unique<promise<int>>();
    auto held = std::make_unique<future<int>>(p->get_future());
    bool ran = false;
    held->add_done_callback([&](future<int> done) {
        held.reset();
        done = {};
        ran = true;
    });
    p->set_value(1);
    EXPECT_TRUE(ran);
}

TEST(Chains, F18AMillionContinuationsNeedNoStack) {
    promise<int> p;
    future<int> f = p.get_future();
    for (int i = 0; i < 1'000'000; ++i) {
        f = f.then([](future<int> before) { return std::move(before).result() + 1; });
    }
    p.set_value(0);
    EXPECT_EQ(f.result(), 1'000'000);
}

TEST(Chains, F18AMillionCancelledContinuationsNeedNoStack) {
    // Each is cancelled with what came before it still pending, from the last to the first.
    promise<int> p;
    std::vector<future<int>> chain{p.get_future()};
    for (int i = 0; i < 100'000; ++i) {
        chain.push_back(chain.back().then([](future<int> f) { return std::move(f).result(); }));
    }
    future<int> last = chain.back();
    chain.clear();
    EXPECT_TRUE(last.cancel());
    p.set_value(1);
    EXPECT_TRUE(last.cancelled());
}

TEST(Chains, F18ACancelledContinuationDeepInAChainIsSafe) {
    // Below a certain depth hooks are put off. The task there has no handle left: its only one
    // was held by the continuation that was cancelled.
    for (int depth = 25; depth < 70; ++depth) {
        promise<int> p;
        future<int> f = p.get_future();
        int ran = 0;
        for (int i = 0; i < depth; ++i) {
            f = f.then([&ran](future<int> before) {
                ++ran;
                return std::move(before).result();
            });
        }
        future<void> never = f.then([](future<int>) { FAIL() << "was cancelled"; });
        f = {};
        EXPECT_TRUE(never.cancel());
        never = {};
        p.set_value(1);
        EXPECT_EQ(ran, depth);
    }
}

TEST(Chains, F18MoveOnlyResultsGoDownAChainOfAnyDepth) {
    promise<std::unique_ptr<int>> p;
    future<std::unique_ptr<int>> f = p.get_future();
    for (int i = 0; i < 200; ++i) {
        f = std::move(f).then(
            [](future<std::unique_ptr<int>> before) { return std::move(before).result(); });
    }
    p.set_value(std::make_unique<int>(6));
    EXPECT_EQ(*f.result(), 6);
}

TEST(Chains, F19ATaskMayHoldTheOnlyHandleToItsOwnFuture) {
    auto self = std::make_shared<future<void>>();
    std::weak_ptr<future<void>> watch = self;
    std::latch go(1);
    thread_pool pool(1);
    *self = pool.submit([&go, self] { go.wait(); });
    self.reset();
    EXPECT_FALSE(watch.expired());
    go.count_down();
    pool.shutdown();
    EXPECT_TRUE(watch.expired());
}

TEST(Chains, AWaitThatTakesItsHooksBackMeetsCallbacksThatRun) {
    // What is done first has both a waiter and callbacks: while the callbacks run and go, the
    // waiter takes its hooks back.
    for (int round = 0; round < 500; ++round) {
        std::vector<promise<int>> promises(2);
        std::vector<future<int>> futures;
        for (auto& p : promises) {
            futures.push_back(p.get_future());
            for (int i = 0; i < 5; ++i) futures.back().add_done_callback([](future<int>) {});
        }
        std::thread finisher([&] { promises[0].set_value(1); });
        const auto seen = heddle::wait(futures, {.until = heddle::return_when::first_completed});
        EXPECT_EQ(seen.done.size(), 1u);
        finisher.join();
        promises[1].set_value(2);
    }
}

} // namespace
