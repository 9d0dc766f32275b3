/// Fault F63: every allocation of a call fails once; nothing is lost and nothing half done.
#include "support/fail_nth.hpp"
#include "support/ledger.hpp"
#include "support/lost_failures.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <vector>

using heddle::future;
using heddle::promise;
using heddle::thread_pool;
using heddle::test::fail_each;
using heddle::test::ledger;

namespace {

const std::string long_text(100, 'x'); // whose copy allocates

/// Takes all free cells for tasks of each size from this thread: the next task needs new memory.
class no_free_cells {
public:
    no_free_cells() {
        take(small_);
        take(middle_);
        take(large_);
    }

private:
    template <class Promise>
    static void take(std::vector<Promise>& held) {
        held.reserve(20'000);
        const heddle::test::fail_nth none(0);
        try {
            while (held.size() < held.capacity()) held.emplace_back();
        } catch (const std::bad_alloc&) {
        }
    }
    std::vector<promise<int>> small_;
    std::vector<promise<std::string>> middle_;
    std::vector<promise<std::array<char, 160>>> large_;
};

TEST(NoMemory, F63SubmitQueuesNothing) {
    std::atomic<int> ran{0};
    int refused = 0;
    {
        thread_pool pool(1);
        const no_free_cells none;
        fail_each([&](long) {
            try {
                future<int> f = pool.submit(
                    [&ran](const std::string& s) {
                        ++ran;
                        return static_cast<int>(s.size());
                    },
                    long_text);
                EXPECT_EQ(f.result(), 100);
            } catch (const std::bad_alloc&) {
                ++refused;
            }
        });
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(ran, 1);
}

TEST(NoMemory, F63SubmitWithOptionsInsideATaskQueuesNothing) {
    std::atomic<int> ran{0};
    int taken = 0, refused = 0;
    {
        thread_pool pool({.max_workers = 2, .max_pending = 8});
        const auto attempt = [&](int priority) {
            fail_each([&](long) {
                try {
                    const future<void> f = pool.submit({.name = long_text, .priority = priority},
                                                       [&ran, text = long_text] { ++ran; });
                    ++taken;
                    f.wait(); // may need memory, too, if the other worker has got the task
                } catch (const std::bad_alloc&) {
                    ++refused;
                }
            });
        };
        attempt(0);
        attempt(3);
        attempt(-3);
        pool.submit([&] { attempt(0); }).wait();
    }
    EXPECT_GT(refused, 8);
    EXPECT_GE(taken, 4);
    EXPECT_EQ(ran, taken);
}

TEST(NoMemory, F63ManyTasksInsideATaskGrowTheQueueOrThrow) {
    std::atomic<int> ran{0};
    int taken = 0;
    thread_pool pool(1);
    pool.submit([&] {
            for (int i = 0; i < 5000; ++i) {
                heddle::test::fail_nth failing(i % 3);
                try {
                    pool.post([&ran, i] { ran += i >= 0; });
                    ++taken;
                } catch (const std::bad_alloc&) {
                }
            }
        })
        .wait();
    pool.shutdown();
    EXPECT_EQ(ran, taken);
    EXPECT_LT(taken, 5000);
}

TEST(NoMemory, F63PostQueuesNothing) {
    std::atomic<int> ran{0};
    int taken = 0, refused = 0;
    {
        thread_pool pool(1);
        const auto attempt = [&](auto post) {
            fail_each([&](long) {
                try {
                    post();
                    ++taken;
                } catch (const std::bad_alloc&) {
                    ++refused;
                }
            });
        };
        attempt([&] { pool.post([&ran, text = long_text] { ++ran; }); });
        for (int i = 0; i < 1000; ++i) attempt([&] { pool.post([&ran] { ++ran; }); });
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(ran, taken);
}

TEST(NoMemory, F63CallbacksAndContinuationsAreAddedOrNot) {
    int added = 0, called = 0, continued = 0, made = 0;
    promise<int> p;
    future<int> f = p.get_future();
    fail_each([&](long) {
        try {
            f.add_done_callback([&called, text = long_text](const future<int>&) { ++called; });
            ++added;
        } catch (const std::bad_alloc&) {
        }
    });
    thread_pool pool(1);
    const auto attempt = [&](auto chain) {
        const no_free_cells none;
        fail_each([&](long) {
            try {
                future<void> next = chain();
                ++made;
            } catch (const std::bad_alloc&) {
            }
        });
    };
    std::atomic<int> on_pool{0};
    attempt([&] { return f.then([&, text = long_text](const future<int>&) { ++continued; }); });
    attempt([&] { return f.then(pool, [&, text = long_text](const future<int>&) { ++on_pool; }); });
    future<int> last = f; // is given away by the one that succeeds only
    attempt([&] { return std::move(last).then([&](const future<int>&) { ++continued; }); });
    EXPECT_FALSE(last.valid());
    last = f;
    attempt([&] { return std::move(last).then(pool, [&](const future<int>&) { ++on_pool; }); });
    EXPECT_FALSE(last.valid());
    p.set_value(1);
    pool.shutdown();
    EXPECT_EQ(added, 1);
    EXPECT_EQ(called, added);
    EXPECT_EQ(made, 4);
    EXPECT_EQ(continued + on_pool, made);
}

TEST(NoMemory, F63WaitsThrowOrWaitAndTheFuturesStayGood) {
    ledger book;
    std::vector<promise<std::string>> promises(20);
    std::vector<future<std::string>> futures;
    for (auto& p : promises) futures.push_back(book.track(p.get_future()));
    for (std::size_t i = 0; i < 10; ++i) promises[i].set_value(long_text);
    int waited = 0, seen = 0;
    fail_each([&](long) {
        try {
            const auto r = heddle::wait(futures, {.timeout = heddle::duration(0)});
            EXPECT_EQ(r.done.size(), 10u);
            ++waited;
        } catch (const std::bad_alloc&) {
        }
    });
    fail_each([&](long) {
        try {
            seen = 0;
            for (auto& f : heddle::as_completed(futures)) {
                EXPECT_TRUE(f.done());
                if (++seen == 10) break;
            }
        } catch (const std::bad_alloc&) {
        }
    });
    for (std::size_t i = 10; i < 20; ++i) promises[i].set_value(long_text);
    int all = 0;
    fail_each([&](long) {
        try {
            for (const std::string& text : heddle::results(futures)) all += text == long_text;
        } catch (const std::bad_alloc&) {
        }
    });
    EXPECT_EQ(waited, 1);
    EXPECT_EQ(seen, 10);
    EXPECT_EQ(all, 20);
    book.expect_balanced();
}

TEST(NoMemory, F63AMapRunsWhatItTookAndThrows) {
    std::vector<int> inputs(20);
    std::iota(inputs.begin(), inputs.end(), 0);
    thread_pool pool(1);
    const auto attempt = [&](auto map) {
        int whole = 0, refused = 0;
        fail_each([&](long) {
            try {
                int sum = 0;
                for (const std::string& text : map()) sum += std::stoi(text.substr(100));
                EXPECT_EQ(sum, 190);
                ++whole;
            } catch (const std::bad_alloc&) {
                ++refused;
            }
        });
        EXPECT_EQ(whole, 1);
        EXPECT_GT(refused, 0);
    };
    const auto f = [](int i) { return long_text + std::to_string(i); };
    attempt([&] { return pool.map(f, inputs); });
    attempt([&] { return pool.map({.chunk_size = 3, .buffer_size = 6}, f, inputs); });
    attempt([&] { return pool.map_unordered({.buffer_size = 4}, f, inputs); });
    EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
}

TEST(NoMemory, F63APromiseIsMadeOrNotAndAFailureIsReportedWithoutItsName) {
    int made = 0;
    const no_free_cells none;
    fail_each([&](long) {
        try {
            promise<std::string> p;
            p.set_value(long_text);
            EXPECT_EQ(p.get_future().result(), long_text);
            ++made;
        } catch (const std::bad_alloc&) {
        }
    });
    EXPECT_EQ(made, 1);
}

TEST(NoMemory, F63AFailureIsReportedWithoutItsNameIfNeedBe) {
    // The allocation fails where the last handle goes, in a function that must not throw.
    heddle::test::lost_failures lost;
    thread_pool pool(1);
    future<void> f = pool.submit({.name = long_text}, [] { throw 1; });
    pool.shutdown();
    {
        const heddle::test::fail_nth failing(0);
        f = {};
        EXPECT_TRUE(failing.fired());
    }
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.at(0).task_name, "");
}

TEST(NoMemory, F62APoolStartsWithFewerWorkersOrNotAtAll) {
    // With no memory for the first worker there is no pool; for a later one, a smaller pool.
    int none = 0, smaller = 0, whole = 0;
    testing::internal::CaptureStderr();
    fail_each([&](long) {
        try {
            thread_pool pool(3);
            ++(pool.worker_count() < 3 ? smaller : whole);
            EXPECT_EQ(pool.submit([] { return 2; }).result(), 2);
        } catch (const std::bad_alloc&) {
            ++none;
        }
    });
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_GT(none, 0);
    EXPECT_GT(smaller, 0);
    EXPECT_GT(whole, 0);
    EXPECT_NE(said.find(" of 3 workers"), std::string::npos) << said;
}

} // namespace
