/// Faults F21 to F35: the beginning and the end of pools, and what outlives them.
#include "support/ledger.hpp"
#include "support/lost_failures.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using heddle::future;
using heddle::thread_pool;
using heddle::test::ledger;
using heddle::test::lost_failures;

namespace {

/// A part of a closure whose destructor tells that it has begun and waits to be let go.
class slow_to_die {
public:
    slow_to_die(std::latch& begun, std::latch& go) : begun_(&begun), go_(&go) {}
    slow_to_die(slow_to_die&& other) noexcept
        : begun_(std::exchange(other.begun_, nullptr)), go_(other.go_) {}
    slow_to_die& operator=(slow_to_die&&) = delete;
    ~slow_to_die() {
        if (!begun_) return;
        begun_->count_down();
        go_->wait();
    }

private:
    std::latch* begun_;
    std::latch* go_;
};

TEST(LifeCycle, F21SubmitAfterShutdownDestroysTheCallableUncalledAndNamesThePool) {
    thread_pool pool({.max_workers = 1, .name = "late"});
    pool.shutdown();
    auto held = std::make_shared<int>(1);
    bool called = false;
    EXPECT_THROW((void)pool.submit([held, &called] { called = true; }), heddle::shutdown_error);
    EXPECT_THROW(pool.post([held, &called] { called = true; }), heddle::shutdown_error);
    try {
        pool.post([] {});
        ADD_FAILURE() << "taken after shutdown";
    } catch (const heddle::shutdown_error& e) {
        EXPECT_NE(std::string(e.what()).find("\"late\""), std::string::npos) << e.what();
    }
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_FALSE(called);
}

TEST(LifeCycle, F22ACancelThatIsStillBusyOutlivesThePool) {
    std::latch hold(1), begun(1), go(1);
    auto pool = std::make_unique<thread_pool>(1);
    pool->post([&] { hold.wait(); });
    future<void> f = pool->submit([part = slow_to_die(begun, go)] {});
    std::thread canceller([&] { EXPECT_TRUE(f.cancel()); });
    begun.wait(); // the canceller destroys the closure
    hold.count_down();
    pool.reset();
    go.count_down();
    canceller.join();
    EXPECT_TRUE(f.cancelled());
}

TEST(LifeCycle, F22ACancelledTaskGivesItsPlaceBackBeforeItsClosureGoes) {
    std::latch hold(1), running(1), begun(1), go(1);
    thread_pool pool({.max_workers = 1, .max_pending = 1, .when_full = heddle::on_full::reject});
    future<void> first = pool.submit([&] {
        running.count_down();
        hold.wait();
    });
    running.wait();
    future<void> f = pool.submit([part = slow_to_die(begun, go)] {});
    EXPECT_THROW((void)pool.submit([] {}), heddle::queue_full_error);
    std::thread canceller([&] { EXPECT_TRUE(f.cancel()); });
    begun.wait();
    future<void> next = pool.submit([] {});
    go.count_down();
    hold.count_down();
    canceller.join();
    next.result();
}

TEST(LifeCycle, F23TasksMaySubmitWhileTheirPoolDrains) {
    ledger book;
    std::latch closing(1), running(1);
    thread_pool pool(1);
    future<int> inner;
    future<void> outer = book.track(pool.submit([&] {
        running.count_down();
        closing.wait();
        inner = book.track(pool.submit([] { return 3; }));
    }));
    running.wait();
    pool.shutdown({.wait = false});
    EXPECT_THROW((void)pool.submit([] {}), heddle::shutdown_error);
    closing.count_down();
    pool.shutdown();
    EXPECT_EQ(inner.result(), 3);
    book.expect_balanced();
}

TEST(LifeCycle, F24SubmitWorksFromADestructorDuringUnwinding) {
    thread_pool pool(1);
    future<int> f;
    struct submits {
        thread_pool& to;
        future<int>& into;
        ~submits() {
            into = to.submit([] { return 4; });
        }
    };
    try {
        submits at_exit{pool, f};
        throw 1;
    } catch (int) {
    }
    EXPECT_EQ(f.result(), 4);
}

TEST(LifeCycle, F25APoolDestroyedOnItsOwnWorkerEndsByItself) {
    std::latch gone(1);
    auto owner = std::make_shared<std::unique_ptr<thread_pool>>(std::make_unique<thread_pool>(2));
    thread_pool& pool = **owner;
    std::latch handed_over(1);
    future<int> last;
    future<void> f = pool.submit([&gone, &handed_over, &last, owner] {
        handed_over.wait();
        last = (*owner)->submit([] { return 5; });
        owner->reset();
        gone.count_down();
    });
    owner.reset();
    handed_over.count_down();
    gone.wait();
    f.result();
    EXPECT_EQ(last.result(), 5);
}

TEST(LifeCycle, F26TheDestructorRunsWhatIsQueued) {
    ledger book;
    {
        thread_pool pool(2);
        for (int i = 0; i < 1000; ++i) book.track(pool.submit([] {}));
    }
    EXPECT_EQ(book.values(), 1000u);
    book.expect_balanced();
}

TEST(LifeCycle, F27ShutdownInsideATaskDoesNotWaitForItself) {
    ledger book;
    thread_pool pool(1);
    book.track(pool.submit([&] {
        pool.shutdown();
        pool.shutdown({.cancel_pending = true});
    }));
    pool.shutdown();
    pool.shutdown();
    EXPECT_EQ(book.values(), 1u);
    book.expect_balanced();
}

TEST(LifeCycle, F27ShutdownByTwoThreadsReturnsInBothWhenAllHasEnded) {
    for (int round = 0; round < 50; ++round) {
        ledger book;
        std::atomic<int> ran{0};
        thread_pool pool(2);
        for (int i = 0; i < 20; ++i) book.track(pool.submit([&] { ++ran; }));
        std::thread other([&] {
            pool.shutdown();
            EXPECT_EQ(ran, 20);
        });
        pool.shutdown();
        EXPECT_EQ(ran, 20);
        other.join();
        book.expect_balanced();
    }
}

/// Submits to a pool when its thread ends.
struct submits_at_thread_exit {
    thread_pool* pool = nullptr;
    std::optional<bool>* refused = nullptr;
    ~submits_at_thread_exit() {
        if (!pool) return;
        try {
            (void)pool->submit([] {});
            *refused = false;
        } catch (const heddle::shutdown_error&) {
            *refused = true;
        }
    }
};
thread_local submits_at_thread_exit at_thread_exit;

TEST(LifeCycle, F33AThreadLocalDestructorOfAWorkerIsRefused) {
    std::optional<bool> refused;
    thread_pool pool(1);
    pool.submit([&] { at_thread_exit = {&pool, &refused}; }).result();
    at_thread_exit = {};
    pool.shutdown(); // joins, so the worker's thread-locals are gone
    EXPECT_EQ(refused, true) << "the task was taken and can never run";
}

TEST(LifeCycle, F33AThreadLocalDestructorOfAnotherThreadMaySubmit) {
    std::optional<bool> refused;
    thread_pool pool(1);
    std::thread([&] { at_thread_exit = {&pool, &refused}; }).join();
    pool.shutdown();
    EXPECT_EQ(refused, false);
}

TEST(LifeCycle, F48ItemsThatRunKeepAMovedInRangeAlive) {
    std::latch running(1), go(1);
    std::string seen;
    thread_pool pool(1);
    {
        std::vector<std::string> inputs{"a text that is too long for the small-string buffer"};
        auto results = pool.map(
            [&](const std::string& text) {
                running.count_down();
                go.wait();
                seen = text;
            },
            std::move(inputs));
        running.wait();
    } // the results are dropped, the item goes on
    go.count_down();
    pool.shutdown();
    EXPECT_EQ(seen, "a text that is too long for the small-string buffer");
}

} // namespace
