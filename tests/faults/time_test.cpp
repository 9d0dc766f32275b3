/// Faults F41 and F42: the wall clock jumps, and the process is stopped for a while.
#include "support/child.hpp"
#include "support/sanitizers.hpp"

#include <heddle/aio.hpp>
#include <heddle/detail/test_clock.hpp>
#include <heddle/queue.hpp>
#include <heddle/sync.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::promise;

namespace {

/// Counts how often somebody looks at the wall clock while it jumps.
std::atomic<bool> wall_clock_jumps{false};
std::atomic<int> looks{0};

} // namespace

/// In place of the C library's: while a test says so, the wall clock jumps by an hour, forth and
/// back, at each look.
extern "C" int clock_gettime(clockid_t clock, timespec* at) noexcept {
    const long failed = syscall(SYS_clock_gettime, clock, at);
    if (clock == CLOCK_REALTIME && failed == 0 && wall_clock_jumps) {
        at->tv_sec += ++looks % 2 == 0 ? 3600 : -3600;
    }
    return static_cast<int>(failed);
}

namespace {

/// Every wait with a limit, each for something that does not come; true means that it came.
std::vector<std::function<bool(heddle::duration)>> waits_in_vain() {
    struct things {
        promise<int> never;
        future<int> result = never.get_future();
        heddle::event event, end_of_thread;
        heddle::queue<int> empty;
        heddle::queue<int> full{1};
        heddle::bounded_semaphore none{0};
        heddle::barrier alone{2};
        ~things() { never.set_value(0); }
    };
    auto all = std::make_shared<things>();
    all->full.put(1);
    return {
        [all](auto d) { return all->result.wait_for(d); },
        [all](auto d) { return all->result.wait_until(std::chrono::steady_clock::now() + d); },
        [all](auto d) {
            return !heddle::wait(std::vector{all->result}, {.timeout = d}).done.empty();
        },
        [all](auto d) {
            try {
                for (auto& f : heddle::as_completed(std::vector{all->result}, d)) (void)f;
                return true;
            } catch (const heddle::timeout_error&) {
                return false;
            }
        },
        [all](auto d) { return all->event.wait_for(d); },
        [all](auto d) { return all->empty.get_for(d).has_value(); },
        [all](auto d) { return all->full.put_for(2, d); },
        [all](auto d) { return all->none.try_acquire_for(d); },
        [all](auto d) {
            all->alone.reset();
            try {
                return all->alone.wait_for(d) >= 0;
            } catch (const heddle::timeout_error&) {
                return false;
            }
        },
        [all](auto d) {
            heddle::thread<void> t([&] { all->end_of_thread.wait(); });
            const bool ended = t.join_for(d);
            all->end_of_thread.set();
            t.join();
            all->end_of_thread.clear();
            return ended;
        },
    };
}

TEST(Time, F41NoWaitLooksAtTheWallClock) {
    wall_clock_jumps = true;
    looks = 0;
    std::size_t number = 0;
    for (const auto& wait : waits_in_vain()) {
        EXPECT_FALSE(wait(2ms)) << number;
        ++number;
    }
    EXPECT_EQ(looks, 0) << "a wait looked at the wall clock";
    (void)std::chrono::system_clock::now();
    EXPECT_EQ(looks, 1) << "the test has lost its eyes";
    wall_clock_jumps = false;
}

/// A wall clock that a test sets.
struct wall_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<wall_clock>;
    static time_point now() { return time; }
    static inline time_point time{1000h};
};

TEST(Time, F41ATimeOfAnotherClockIsTranslatedOnce) {
    heddle::detail::test_clock clock;
    promise<int> p;
    const future<int> f = p.get_future();
    std::atomic<bool> ended{false};
    std::thread waiter([&] {
        EXPECT_FALSE(f.wait_until(wall_clock::now() + 1h));
        ended = true;
    });
    clock.wait_for_sleepers(1);
    wall_clock::time += 2h;
    clock.advance(59min);
    clock.wait_for_sleepers(1); // goes on sleeping
    EXPECT_FALSE(ended);
    wall_clock::time -= 20h;
    clock.advance(1min);
    waiter.join();
    p.set_value(1);
}

heddle::aio::task<> append_after(std::vector<int>& order, int ms) {
    co_await heddle::aio::sleep_for(std::chrono::milliseconds(ms));
    order.push_back(ms);
}

/// The life of the child that is stopped; writes a byte to `ready` when everything is under way.
int live_through_a_stop(int ready) {
    heddle::thread_pool pool(2);
    std::atomic<int> vain{0};
    std::vector<heddle::thread<void>> waiters;
    for (const auto& wait : waits_in_vain()) {
        waiters.emplace_back([&vain, wait] { vain += wait(20ms) ? 100 : 1; });
    }
    const int expected = static_cast<int>(waiters.size());
    std::vector<int> order;
    heddle::thread loop([&order] {
        std::vector<heddle::aio::task<>> sleepers;
        for (int ms : {30, 10, 20}) sleepers.push_back(append_after(order, ms));
        heddle::aio::run(heddle::aio::gather(std::move(sleepers)));
    });
    auto results =
        pool.map({.buffer_size = 10}, [](int i) { return i; }, std::vector<int>(20'000, 1));
    if (write(ready, "r", 1) != 1) return 1;
    int sum = 0;
    for (int one : results) sum += one;
    for (auto& t : waiters) t.join();
    loop.join();
    if (sum != 20'000) return 2;
    if (vain != expected) return 3; // each ended once, by its limit
    return order == std::vector{10, 20, 30} ? 0 : 4;
}

TEST(Time, F42AProcessThatWasStoppedGoesOnAsIfNothingHadHappened) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers start no threads after fork()";
    std::array<int, 2> ready{};
    ASSERT_EQ(pipe(ready.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(live_through_a_stop(ready[1]));
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(kill(child, SIGSTOP), 0);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
    EXPECT_TRUE(WIFSTOPPED(status));
    heddle::event never;
    never.wait_for(50ms); // so that all its limits pass meanwhile: no less will do
    EXPECT_EQ(kill(child, SIGCONT), 0);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(heddle::test::exited_with(status, 0));
    close(ready[0]);
    close(ready[1]);
}

} // namespace
