/// Fault F44: a sleeping thread is woken for no reason, by a signal.
#include "support/sanitizers.hpp"

#include <heddle/queue.hpp>
#include <heddle/sync.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::promise;
using heddle::thread_pool;

namespace {

std::atomic<int> signals_seen{0};
static_assert(std::atomic<int>::is_always_lock_free); // so that a handler may use it

/// Something that blocks until it is let go, and the letting go.
struct wait_and_release {
    std::function<void()> wait, release;
};

std::vector<wait_and_release> waits_for_futures() {
    struct things {
        promise<int> p;
        future<int> f = p.get_future();
    };
    const auto with = [](void (*wait)(const future<int>&)) {
        auto at = std::make_shared<things>();
        return wait_and_release{[at, wait] { wait(at->f); }, [at] { at->p.set_value(1); }};
    };
    return {
        with([](const auto& f) { f.wait(); }),
        with([](const auto& f) { EXPECT_TRUE(f.wait_for(1h)); }),
        with([](const auto& f) { EXPECT_EQ(heddle::wait(std::vector{f}).done.size(), 1u); }),
        with([](const auto& f) {
            EXPECT_EQ(heddle::wait(std::vector{f}, {.timeout = 1h}).done.size(), 1u);
        }),
        with([](const auto& f) {
            for (auto& each : heddle::as_completed(std::vector{f}, 1h)) EXPECT_TRUE(each.done());
        }),
    };
}

std::vector<wait_and_release> waits_for_locks_and_queues() {
    struct things {
        heddle::event event, other;
        heddle::queue<int> empty, full{1};
        heddle::bounded_semaphore permits{1};
        heddle::barrier two{2};
    };
    const auto with = [](void (*wait)(things&), void (*release)(things&)) {
        auto at = std::make_shared<things>();
        at->full.put(1);
        at->permits.acquire();
        return wait_and_release{[at, wait] { wait(*at); }, [at, release] { release(*at); }};
    };
    const auto set = [](things& at) { at.event.set(); };
    const auto put = [](things& at) { at.empty.put(7); };
    const auto get = [](things& at) { at.full.get(); };
    const auto permit = [](things& at) { at.permits.release(); };
    return {
        with([](things& at) { at.event.wait(); }, set),
        with([](things& at) { EXPECT_TRUE(at.event.wait_for(1h)); }, set),
        with([](things& at) { EXPECT_EQ(at.empty.get(), 7); }, put),
        with([](things& at) { EXPECT_EQ(at.empty.get_for(1h), 7); }, put),
        with([](things& at) { at.full.put(2); }, get),
        with([](things& at) { EXPECT_TRUE(at.full.put_for(2, 1h)); }, get),
        with([](things& at) { at.full.join(); }, [](things& at) { at.full.task_done(); }),
        with([](things& at) { at.permits.acquire(); }, permit),
        with([](things& at) { EXPECT_TRUE(at.permits.try_acquire_for(1h)); }, permit),
        with([](things& at) { at.two.wait(); }, [](things& at) { at.two.wait(); }),
    };
}

std::vector<wait_and_release> waits_for_threads() {
    struct things {
        std::latch go{1}, running{1};
        thread_pool pool{{.max_workers = 1, .max_pending = 1}};
        heddle::thread<void> thread{[this] { go.wait(); }};
    };
    const auto with = [](void (*wait)(things&)) {
        auto at = std::make_shared<things>();
        at->pool.post([at = at.get()] {
            at->running.count_down();
            at->go.wait();
        });
        at->running.wait();
        at->pool.post([] {}); // is full now
        return wait_and_release{[at, wait] { wait(*at); }, [at] { at->go.count_down(); }};
    };
    return {
        with([](things& at) { at.thread.join(); }),
        with([](things& at) { EXPECT_TRUE(at.thread.join_for(1h)); }),
        with([](things& at) { at.pool.submit([] {}).wait(); }),
        with([](things& at) { at.pool.shutdown(); }),
    };
}

void expect_to_sleep_through_signals(const std::vector<wait_and_release>& all) {
    for (const wait_and_release& each : all) {
        std::latch begins(1);
        std::atomic<bool> ended{false};
        std::thread sleeper([&] {
            begins.count_down();
            each.wait();
            ended = true;
        });
        begins.wait();
        for (int i = 0; i < 30; ++i) {
            const int before = signals_seen;
            pthread_kill(sleeper.native_handle(), SIGUSR2);
            while (signals_seen == before) sched_yield();
            EXPECT_FALSE(ended);
        }
        each.release();
        sleeper.join();
    }
}

TEST(Spurious, F44AWakeUpForNoReasonEndsNoWait) {
    if (heddle::test::under_tsan) GTEST_SKIP() << "TSan calls signal handlers when it sees fit";
    struct sigaction count{};
    count.sa_handler = [](int) { signals_seen.fetch_add(1); };
    struct sigaction before{};
    ASSERT_EQ(sigaction(SIGUSR2, &count, &before), 0); // without SA_RESTART
    expect_to_sleep_through_signals(waits_for_futures());
    expect_to_sleep_through_signals(waits_for_locks_and_queues());
    expect_to_sleep_through_signals(waits_for_threads());
    EXPECT_EQ(sigaction(SIGUSR2, &before, nullptr), 0);
}

} // namespace
