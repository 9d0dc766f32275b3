/// Faults F30, F34, F35, F61, F62, F64, F66: what the process and the system do to a pool.
#include "support/child.hpp"
#include "support/sanitizers.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using heddle::future;
using heddle::thread_pool;
using heddle::test::exited_with;
using heddle::test::in_child;

namespace {

/// Runs `f`; 0 if it throws a forked_error, else 1.
template <class F>
int refused(F f) {
    try {
        f();
    } catch (const heddle::forked_error&) {
        return 0;
    }
    return 1;
}

TEST(Process, F30APoolInAForkedChildRefusesAtOnceAndTheParentGoesOn) {
    std::latch running(1), go(1);
    auto pool = std::make_unique<thread_pool>(1);
    future<int> runs = pool->submit([&] {
        running.count_down();
        go.wait();
        return 1;
    });
    running.wait();
    future<int> queued = pool->submit([] { return 2; });
    future<int> done = heddle::make_ready_future(3);
    EXPECT_TRUE(exited_with(in_child([&] {
                                int wrong = refused([&] { (void)pool->submit([] {}); });
                                wrong += refused([&] { pool->post([] {}); });
                                wrong += refused([&] { queued.result(); });
                                wrong += refused([&] { runs.result(); });
                                wrong += refused([&] { heddle::wait(std::vector{runs, queued}); });
                                wrong += refused([&] {
                                    for (auto& f : heddle::as_completed(std::vector{runs}))
                                        f.wait();
                                });
                                wrong += done.result() == 3 ? 0 : 1;
                                pool->shutdown();
                                pool.reset();
                                return wrong;
                            }),
                            0));
    go.count_down();
    EXPECT_EQ(runs.result() + queued.result(), 3);
}

TEST(Process, F30AForkedChildMayMakeAPoolOfItsOwn) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers start no threads after fork()";
    thread_pool parents(2);
    parents.submit([] {}).wait();
    EXPECT_TRUE(exited_with(in_child([] {
                                thread_pool own(2);
                                return own.submit([] { return 7; }).result();
                            }),
                            7));
}

TEST(Process, F35NoLockOfHeddleIsHeldInAForkedChild) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers start no threads after fork()";
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    thread_pool pool(2);
    for (int i = 0; i < 2; ++i) {
        busy.emplace_back([&] {
            while (!stop) {
                // Cells go from here to the workers in bulk; failures look for their handler.
                std::vector<future<int>> some;
                for (int n = 0; n < 500; ++n) some.push_back(pool.submit([n] { return n; }));
                for (auto& f : some) f.wait();
                heddle::set_failure_handler([](const heddle::failure_info&) {});
            }
        });
    }
    for (int i = 0; i < 40; ++i) {
        EXPECT_TRUE(exited_with(in_child([] {
                                    thread_pool own(1);
                                    int sum = 0;
                                    for (int n = 0; n < 300; ++n) {
                                        sum += own.submit([] { return 1; }).result();
                                    }
                                    heddle::set_failure_handler({});
                                    return sum == 300 ? 0 : 1;
                                }),
                                0));
    }
    stop = true;
    for (auto& t : busy) t.join();
    heddle::set_failure_handler({});
}

TEST(Process, F34WorkersLeaveSignalsToTheOtherThreads) {
    thread_pool pool(1);
    const sigset_t blocked = pool.submit([] {
                                     sigset_t set;
                                     pthread_sigmask(SIG_BLOCK, nullptr, &set);
                                     return set;
                                 })
                                 .result();
    for (const int number : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGUSR1, SIGALRM}) {
        EXPECT_TRUE(sigismember(&blocked, number)) << number;
    }
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
        EXPECT_FALSE(sigismember(&blocked, number)) << number;
    }
    sigset_t here;
    pthread_sigmask(SIG_BLOCK, nullptr, &here);
    EXPECT_FALSE(sigismember(&here, SIGINT)); // the caller's mask is as it was
}

TEST(Process, F61ABadNumberOfWorkersIsRefusedWithTheRange) {
    for (const int n : {0, -1, std::numeric_limits<int>::min(), 10'001, 1'000'000'000}) {
        try {
            thread_pool pool(n);
            ADD_FAILURE() << n;
        } catch (const std::invalid_argument& e) {
            EXPECT_NE(std::string(e.what()).find(std::to_string(n)), std::string::npos);
            EXPECT_NE(std::string(e.what()).find("1 to 10000"), std::string::npos);
        }
    }
}

TEST(Process, F62WithoutThreadsThereIsNoPoolAndNothingLeaks) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers end the process instead";
    // The address space is all used up but for the stacks of a few threads.
    EXPECT_TRUE(exited_with(in_child([] {
                                const auto limit_to = [](rlim_t bytes) {
                                    const rlimit limit{bytes, RLIM_INFINITY};
                                    return setrlimit(RLIMIT_AS, &limit) == 0;
                                };
                                pthread_attr_t large;
                                pthread_attr_init(&large);
                                pthread_attr_setstacksize(&large, std::size_t{256} << 20);
                                pthread_setattr_default_np(&large);
                                if (!limit_to(rlim_t{1} << 30)) return 1;
                                {
                                    thread_pool pool(64);
                                    if (pool.worker_count() < 1 || pool.worker_count() >= 64)
                                        return 2;
                                    int sum = 0;
                                    for (int r :
                                         pool.map([](int i) { return i; }, std::vector(100, 1)))
                                        sum += r;
                                    if (sum != 100) return 3;
                                }
                                if (!limit_to(rlim_t{200} << 20)) return 4;
                                try {
                                    thread_pool pool(2);
                                    return 5;
                                } catch (const std::system_error&) {
                                    return 0;
                                } catch (const std::bad_alloc&) {
                                    return 0;
                                }
                            }),
                            0));
}

TEST(Process, F64APoolNeedsNoFileDescriptors) {
    if (heddle::test::sanitized) GTEST_SKIP() << "the sanitizers start no threads after fork()";
    EXPECT_TRUE(exited_with(in_child([] {
                                const rlimit none{0, 0};
                                if (setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
                                thread_pool pool; // asks the system how many workers
                                int sum = 0;
                                for (int r : pool.map([](int i) { return i; }, std::vector(100, 1)))
                                    sum += r;
                                return sum == 100 ? 0 : 2;
                            }),
                            0));
}

TEST(Process, F66TheDefaultFollowsTheAffinity) {
    cpu_set_t before;
    CPU_ZERO(&before);
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    EXPECT_GE(heddle::available_parallelism(), 1);
    EXPECT_LE(heddle::available_parallelism(), CPU_COUNT(&before));
    std::thread([&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE; ++i) {
            if (!CPU_ISSET(i, &before)) continue;
            CPU_SET(i, &one);
            break;
        }
        ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
        EXPECT_EQ(heddle::available_parallelism(), 1);
        thread_pool pool;
        EXPECT_EQ(pool.worker_count(), 1);
    }).join();
}

} // namespace
