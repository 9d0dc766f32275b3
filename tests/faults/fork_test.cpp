/// Fault F30: what a forked child can do with a pool and the threads that stayed in its parent.
#include "support/child.hpp"

#include <heddle/join.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::thread_pool;
using heddle::test::exited_with;
using heddle::test::in_child;

namespace {

int twice(int n) {
    return 2 * n;
}

/// Counts the calls that were not refused.
///
/// Thread safety: one thread. Lifetime: that of the child.
class refusals {
public:
    template <class F>
    void expect(F f) {
        ++tried_;
        try {
            f();
        } catch (const heddle::forked_error&) {
            ++refused_;
        } catch (...) { // any other error is a miss
        }
    }
    /// 0 if all were refused, else how many were not.
    int missing() const { return tried_ - refused_; }

private:
    int tried_ = 0, refused_ = 0;
};

/// A pool with one task that runs and one that is queued, until it is let go.
struct busy_pool {
    explicit busy_pool(std::size_t max_pending)
        : pool(std::make_unique<thread_pool>(heddle::thread_pool_options{
              .max_workers = 1, .max_pending = max_pending, .when_full = heddle::on_full::reject})),
          runs(pool->submit([this] {
              running.count_down();
              go.wait();
              return 1;
          })) {
        running.wait();
        queued = pool->submit([] { return 2; });
    }

    std::latch running{1}, go{1};
    std::unique_ptr<thread_pool> pool;
    future<int> runs, queued;
};

int count_submitters_not_refused(thread_pool& pool) {
    refusals all;
    const std::vector<int> inputs{1, 2, 3};
    const std::vector<std::tuple<int>> tuples{{1}, {2}};
    all.expect([&] { (void)pool.submit(twice, 1); });
    all.expect([&] { (void)pool.submit({.name = "named", .priority = 2}, twice, 1); });
    all.expect([&] { (void)pool.submit_strict(twice, 1); });
    all.expect([&] { pool.post([] {}); });
    all.expect([&] { pool.post(twice, 1); });
    all.expect([&] { (void)pool.map(twice, inputs); });
    all.expect([&] { (void)pool.map({.chunk_size = 2, .buffer_size = 2}, twice, inputs); });
    all.expect([&] { (void)pool.map_unordered(twice, inputs); });
    all.expect([&] { (void)pool.starmap(twice, tuples); });
    all.expect([&] { (void)heddle::join(pool, [] {}, [] {}); });
    return all.missing();
}

int count_waits_not_refused(const future<int>& f) {
    refusals all;
    const std::vector<future<int>> both{f, heddle::make_ready_future(3)};
    for (const heddle::duration limit : {heddle::duration(-1s),
                                         heddle::duration(0s),
                                         heddle::duration(1h),
                                         heddle::duration::max()}) {
        all.expect([&] { (void)f.wait_for(limit); });
        all.expect([&] { (void)f.result_for(limit); });
        all.expect([&] { (void)heddle::wait(both, {.timeout = limit}); });
        all.expect([&] {
            for (auto& each : heddle::as_completed(both, limit)) (void)each;
        });
    }
    all.expect([&] { f.wait(); });
    all.expect([&] { (void)f.result(); });
    all.expect([&] { (void)future<int>(f).result(); });
    all.expect([&] { (void)f.exception(); });
    all.expect([&] { (void)f.outcome(); });
    all.expect([&] { (void)heddle::results(both); });
    all.expect([&] { (void)f.wait_until(std::chrono::steady_clock::now()); });
    return all.missing();
}

TEST(Fork, F30NoVerbOfAPoolHangsInAForkedChild) {
    for (const std::size_t max_pending : {0u, 1u}) {
        busy_pool at(max_pending);
        auto items = std::make_unique<thread_pool>(1);
        std::atomic<bool> begun = false;
        auto results = items->map(
            [&](int) {
                begun = true;
                begun.notify_one();
                at.go.wait();
            },
            std::vector<int>(3));
        // All threads are at rest when it forks: a sanitizer's own allocator may be locked else.
        begun.wait(false);
        EXPECT_TRUE(exited_with(in_child([&] {
                                    int wrong = count_submitters_not_refused(*at.pool);
                                    wrong += count_waits_not_refused(at.runs);
                                    wrong += count_waits_not_refused(at.queued);
                                    refusals all;
                                    all.expect([&] { results.collect(); });
                                    wrong += all.missing();
                                    wrong += at.pool->worker_count() == 1 ? 0 : 1;
                                    wrong += at.pool->pending_count() == 0 ? 0 : 1;
                                    // What a process pool's tests call broken is told by `then`.
                                    wrong += heddle::make_ready_future(1)
                                                     .then(*at.pool, [](const future<int>&) {})
                                                     .cancelled()
                                                 ? 0
                                                 : 1;
                                    wrong += at.queued.cancel() ? 0 : 1;
                                    at.pool->shutdown();
                                    at.pool->shutdown({.wait = true, .cancel_pending = true});
                                    at.pool.reset();
                                    items.reset();
                                    return wrong;
                                }),
                                0));
        at.go.count_down();
        EXPECT_EQ(at.runs.result() + at.queued.result(), 3);
        results.collect();
    }
}

TEST(Fork, F30AChildThatATaskForkedHasNoPoolEither) {
    thread_pool pool(1);
    std::latch submitted(1);
    future<int> sibling;
    std::atomic<int> ran{0};
    const future<int> forks = pool.submit([&] {
        submitted.wait();
        return in_child([&] {
            int wrong = count_submitters_not_refused(pool);
            wrong += count_waits_not_refused(sibling);
            pool.shutdown();
            return wrong + ran; // nor is a task run twice, here and there
        });
    });
    sibling = pool.submit([&] { return ++ran; });
    submitted.count_down();
    EXPECT_TRUE(exited_with(forks.result(), 0));
    EXPECT_EQ(sibling.result(), 1);
}

/// Forks often, while another thread calls `busy` all the time; the children run `body`.
template <class Busy, class Body>
void expect_children_end(Busy busy, Body body) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) busy();
    });
    for (int i = 0; i < 60; ++i) EXPECT_TRUE(exited_with(in_child(body), 0));
    stop = true;
    other.join();
}

TEST(Fork, F30F35NoLockOfThePoolIsTakenInAForkedChild) {
    std::latch go(1);
    thread_pool pool({.max_workers = 1, .max_pending = 1, .when_full = heddle::on_full::run_here});
    std::latch running(1);
    pool.post([&] {
        running.count_down();
        go.wait();
    });
    running.wait();
    const future<void> queued = pool.submit([] {});
    expect_children_end([&] { (void)pool.pending_count(); }, // the pool's lock, most of the time
                        [&] { return static_cast<int>(pool.pending_count()); });
    expect_children_end([&] { pool.post([] {}); }, // the lock of its bound: it is full
                        [&] {
                            const bool cancelled = queued.cancel();
                            pool.shutdown();
                            return cancelled ? 0 : 1;
                        });
    go.count_down();
}

TEST(Fork, F30AThreadOfTheParentIsNotWaitedForInAForkedChild) {
    std::latch go(1);
    auto runs = std::make_unique<heddle::thread<int>>([&] {
        go.wait();
        return 4;
    });
    heddle::thread ended([] { return 5; });
    ended.result(); // ended, but not joined
    EXPECT_TRUE(exited_with(in_child([&] {
                                refusals all;
                                all.expect([&] { runs->join(); });
                                all.expect([&] { (void)runs->join_for(1h); });
                                all.expect([&] { (void)runs->result(); });
                                all.expect([&] { (void)std::move(*runs).result(); });
                                runs.reset();
                                ended.join();
                                return all.missing() + (ended.result() == 5 ? 0 : 1);
                            }),
                            0));
    go.count_down();
    EXPECT_EQ(runs->result(), 4);
}

} // namespace
