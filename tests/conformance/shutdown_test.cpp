/// How every executor ends.
#include "executors.hpp"

#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

using heddle::future;
using heddle::test::blockade;

namespace {

template <class Kind>
class Shutdown : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(Shutdown, heddle::test::all_executors);

TYPED_TEST(Shutdown, RunsWhatIsQueued) {
    for (int i = 0; i < 50; ++i) this->submit([] {});
    this->pool().shutdown();
    EXPECT_EQ(this->book().values(), 50u);
}

TYPED_TEST(Shutdown, IsIdempotent) {
    this->submit([] {});
    for (int i = 0; i < 3; ++i) {
        this->pool().shutdown();
        this->pool().shutdown({.cancel_pending = true});
        this->pool().shutdown({.wait = false});
    }
    EXPECT_EQ(this->book().values(), 1u);
}

TYPED_TEST(Shutdown, OfAnExecutorThatWasNeverUsedReturns) {
    this->pool().shutdown();
}

TYPED_TEST(Shutdown, WithoutWaitingLeavesTheRestToTheDestructor) {
    for (int i = 0; i < 50; ++i) this->submit([] {});
    this->pool().shutdown({.wait = false});
    EXPECT_THROW(this->submit([] {}), heddle::shutdown_error);
    this->destroy();
    EXPECT_EQ(this->book().values(), 50u);
}

template <class Kind>
class ShutdownInProcess : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(ShutdownInProcess, heddle::test::in_process_executors);

TYPED_TEST(ShutdownInProcess, CancelsWhatHasNotStartedOnRequestAndWakesWaiters) {
    std::vector<future<int>> futures;
    blockade hold(this->pool(), this->workers);
    for (int i = 0; i < 20; ++i) futures.push_back(this->submit([] { return 1; }));
    futures.push_back(this->submit({.priority = 3}, [] { return 1; }));
    futures.push_back(this->submit({.priority = -3}, [] { return 1; }));
    std::thread waiter([&] { EXPECT_THROW(futures[7].result(), heddle::cancelled_error); });
    this->pool().shutdown({.wait = false, .cancel_pending = true});
    waiter.join();
    EXPECT_EQ(this->book().cancelled(), 22u);
    EXPECT_EQ(this->pool().pending_count(), 0u);
    hold.open();
}

TYPED_TEST(ShutdownInProcess, CancelsTheTasksOfTasksToo) {
    std::latch submitted(1), go(1);
    std::vector<future<void>> children;
    future<void> parent = this->submit([&] {
        for (int i = 0; i < 10; ++i) children.push_back(this->submit([&go] { go.wait(); }));
        submitted.count_down();
        go.wait();
    });
    submitted.wait();
    this->pool().shutdown({.wait = false, .cancel_pending = true});
    EXPECT_GE(this->book().cancelled(), 10u - static_cast<unsigned>(this->workers - 1));
    go.count_down();
    this->destroy();
    EXPECT_FALSE(parent.cancelled());
}

TYPED_TEST(ShutdownInProcess, ByTwoThreadsReturnsInBoth) {
    std::atomic<int> ran{0};
    for (int i = 0; i < 50; ++i) this->submit([&] { ++ran; });
    std::thread other([&] {
        this->pool().shutdown();
        EXPECT_EQ(ran, 50);
    });
    this->pool().shutdown();
    EXPECT_EQ(ran, 50);
    other.join();
}

TYPED_TEST(ShutdownInProcess, InsideATaskDoesNotWaitForIt) {
    future<void> f = this->submit([&] { this->pool().shutdown(); });
    f.result();
    EXPECT_THROW(this->submit([] {}), heddle::shutdown_error);
}

TYPED_TEST(ShutdownInProcess, TasksMaySubmitUntilAllHasEnded) {
    std::latch running(1), closed(1);
    std::atomic<int> left{20};
    std::function<void()> again = [&] {
        if (--left > 0) this->submit(again);
    };
    future<void> f = this->submit([&] {
        running.count_down();
        closed.wait();
        again();
    });
    running.wait();
    this->pool().shutdown({.wait = false});
    EXPECT_THROW(this->submit([] {}), heddle::shutdown_error);
    closed.count_down();
    this->pool().shutdown();
    EXPECT_EQ(left, 0);
    EXPECT_EQ(this->book().values(), 20u);
}

TYPED_TEST(ShutdownInProcess, ATaskMayWaitForItsChildrenWhileDraining) {
    std::latch running(1), closed(1);
    future<int> f = this->submit([&] {
        running.count_down();
        closed.wait();
        return this->submit([] { return 2; }).result();
    });
    running.wait();
    this->pool().shutdown({.wait = false});
    closed.count_down();
    EXPECT_EQ(f.result(), 2);
}

} // namespace
