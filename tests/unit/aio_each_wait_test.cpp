/// Every place where a coroutine can wait, cancelled in every way: its destructors run once, it is
/// resumed once, and what it waited for can still be used.
#include "support/lost_failures.hpp"
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>
#include <heddle/event.hpp>
#include <heddle/promise.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <iterator>
#include <memory>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::lost_failures;
using heddle::test::run_virtually;

namespace {

/// What can be waited for in vain, until `serve`.
struct world {
    aio::event event;
    aio::queue<int> empty, full{1}, unfinished;
    aio::mutex mutex, condition_mutex;
    aio::condition condition{condition_mutex};
    aio::semaphore semaphore{0};
    aio::barrier barrier{2};
    heddle::promise<int> promise;
    heddle::future<int> future = promise.get_future();
    std::shared_ptr<heddle::event> thread_may_end = std::make_shared<heddle::event>();
    aio::mutex::guard held = mutex.try_lock();

    world() {
        (void)full.try_put(1);
        (void)unfinished.try_put(1);
    }
    ~world() {
        thread_may_end->set();
        if (!future.done()) promise.set_value(0); // a dropped promise is a failure to report
    }
};

aio::task<> in_sleep(world&) {
    co_await aio::sleep_for(1h);
}
aio::task<> in_event(world& w) {
    co_await w.event.wait();
}
aio::task<> in_timed_event(world& w) {
    (void)co_await w.event.wait_for(1h);
}
aio::task<> in_get(world& w) {
    (void)co_await w.empty.get();
}
aio::task<> in_next(world& w) {
    (void)co_await w.empty.next();
}
aio::task<> in_timed_get(world& w) {
    (void)co_await w.empty.get_for(1h);
}
aio::task<> in_put(world& w) {
    co_await w.full.put(2);
}
aio::task<> in_timed_put(world& w) {
    (void)co_await w.full.put_for(2, 1h);
}
aio::task<> in_join(world& w) {
    co_await w.unfinished.join();
}
aio::task<> in_lock(world& w) {
    (void)co_await w.mutex.lock();
}
aio::task<> in_condition(world& w) {
    auto guard = co_await w.condition_mutex.lock();
    co_await w.condition.wait(guard);
}
aio::task<> in_acquire(world& w) {
    co_await w.semaphore.acquire();
}
aio::task<> in_permit(world& w) {
    (void)co_await w.semaphore.permit();
}
aio::task<> in_barrier(world& w) {
    (void)co_await w.barrier.wait();
}
aio::task<> in_future(world& w) {
    (void)co_await w.future;
}
aio::task<> in_moved_future(world& w) {
    heddle::future<int> copy = w.future;
    (void)co_await std::move(copy);
}
aio::task<> in_thread(world& w) {
    co_await aio::to_thread([](const std::shared_ptr<heddle::event>& e) { e->wait(); },
                            w.thread_may_end);
}
aio::task<> in_handle(world& w) {
    const auto h = aio::spawn(in_event(w));
    co_await h;
}
aio::task<> in_gather(world& w) {
    (void)co_await aio::gather(in_event(w), in_sleep(w));
}
aio::task<> in_limited_gather(world& w) {
    std::vector<aio::task<>> some;
    for (int i = 0; i < 4; ++i) some.push_back(in_event(w));
    co_await aio::gather(std::move(some), {.limit = 2});
}
aio::task<> in_outcomes(world& w) {
    std::vector<aio::task<>> some;
    for (int i = 0; i < 4; ++i) some.push_back(in_get(w));
    (void)co_await aio::gather_outcomes(std::move(some));
}
aio::task<> in_group(world& w) {
    co_await aio::with_task_group([&w](aio::task_group& g) -> aio::task<> {
        g.spawn(in_get(w));
        co_await w.event.wait();
    });
}
aio::task<> in_timeout(world& w) {
    co_await aio::timeout(1h, in_event(w));
}
aio::task<> in_shield(world& w) {
    co_await aio::shield(in_event(w));
}
aio::task<> in_as_completed(world& w) {
    std::vector<aio::task<>> some;
    some.push_back(in_event(w));
    auto each = aio::as_completed(some);
    (void)co_await each.next();
}

struct wait_case {
    const char* name;
    aio::task<> (*wait)(world&);
};
constexpr wait_case cases[] = {
    {"sleep_for", in_sleep},
    {"event", in_event},
    {"event wait_for", in_timed_event},
    {"queue get", in_get},
    {"queue next", in_next},
    {"queue get_for", in_timed_get},
    {"queue put", in_put},
    {"queue put_for", in_timed_put},
    {"queue join", in_join},
    {"mutex", in_lock},
    {"condition", in_condition},
    {"semaphore", in_acquire},
    {"permit", in_permit},
    {"barrier", in_barrier},
    {"future", in_future},
    {"moved future", in_moved_future},
    {"to_thread", in_thread},
    {"handle", in_handle},
    {"gather", in_gather},
    {"gather with a limit", in_limited_gather},
    {"gather_outcomes", in_outcomes},
    {"task group", in_group},
    {"timeout", in_timeout},
    {"shield", in_shield},
    {"as_completed", in_as_completed},
};

struct ledger {
    int begun = 0, completed = 0, cancelled = 0, destroyed = 0;
};

aio::task<> observed(aio::task<> work, ledger& book) {
    struct marker {
        ledger& book;
        ~marker() { ++book.destroyed; }
    } const frame{book};
    ++book.begun;
    try {
        co_await work;
        ++book.completed;
    } catch (const heddle::cancelled_error&) {
        ++book.cancelled;
        throw;
    }
}

/// Lets everybody run until all of them wait.
aio::task<> settle() {
    for (int i = 0; i < 10; ++i) co_await aio::sleep_for(0s);
}
/// Gives what every case waits for.
aio::task<> serve(world& w) {
    w.event.set();
    (void)w.empty.try_put(7);
    (void)w.full.try_get();
    w.unfinished.task_done();
    w.held.unlock();
    w.condition.notify_all();
    w.semaphore.release();
    w.promise.set_value(1);
    w.thread_may_end->set();
    co_return;
}

TEST(AioEachWait, IsCancelledWhileItWaits) {
    struct code {
        static aio::task<> main() {
            for (const wait_case& each : cases) {
                world w;
                ledger book;
                const auto h = aio::spawn(observed(each.wait(w), book));
                co_await settle();
                EXPECT_FALSE(h.done()) << each.name;
                h.cancel();
                EXPECT_THROW(co_await h, heddle::cancelled_error) << each.name;
                EXPECT_EQ(book.cancelled, 1) << each.name;
                EXPECT_EQ(book.completed, 0) << each.name;
                EXPECT_EQ(book.destroyed, 1) << each.name;
                w.event.set(); // whom a shield or a handle has left
                co_await settle();
            }
        }
    };
    const lost_failures lost;
    run_virtually(code::main());
    EXPECT_EQ(lost.count(), 0u);
}

TEST(AioEachWait, EndsAtItsLimit) {
    struct code {
        static aio::task<> main() {
            for (const wait_case& each : cases) {
                world w;
                ledger book;
                EXPECT_THROW(co_await aio::timeout(1s, observed(each.wait(w), book)),
                             heddle::timeout_error)
                    << each.name;
                EXPECT_EQ(book.cancelled, 1) << each.name;
                EXPECT_EQ(book.destroyed, 1) << each.name;
                w.event.set();
                co_await settle();
            }
        }
    };
    run_virtually(code::main());
}

TEST(AioEachWait, IsNotBegunWhenCancelledBefore) {
    struct code {
        static aio::task<> main() {
            for (const wait_case& each : cases) {
                world w;
                ledger book;
                const auto h = aio::spawn(observed(each.wait(w), book));
                h.cancel();
                EXPECT_THROW(co_await h, heddle::cancelled_error) << each.name;
                EXPECT_EQ(book.begun, 0) << each.name;
                EXPECT_EQ(w.empty.size(), 0u) << each.name;
            }
        }
    };
    const lost_failures lost; // what `observed` would have awaited was not
    run_virtually(code::main());
}

/// What was served and cancelled at the same instant keeps what it got; nobody is resumed twice.
TEST(AioEachWait, ServedAndCancelledAtOnceEndsOnce) {
    struct code {
        static aio::task<> main(bool serve_first) {
            for (const wait_case& each : cases) {
                world w;
                ledger book;
                const auto h = aio::spawn(observed(each.wait(w), book));
                co_await settle();
                if (!serve_first) h.cancel();
                co_await serve(w);
                if (serve_first) h.cancel();
                try {
                    co_await h;
                } catch (const heddle::cancelled_error&) {
                }
                EXPECT_EQ(book.completed + book.cancelled, 1) << each.name;
                EXPECT_EQ(book.destroyed, 1) << each.name;
                co_await settle();
            }
        }
    };
    const lost_failures lost;
    run_virtually(code::main(true));
    run_virtually(code::main(false));
    EXPECT_EQ(lost.count(), 0u);
}

TEST(AioEachWait, TakesNothingWithItWhenCancelled) {
    struct code {
        static aio::task<> main() {
            world w;
            std::vector<aio::handle<void>> waiting;
            for (const wait_case& each : cases) waiting.push_back(aio::spawn(each.wait(w)));
            co_await settle();
            for (const auto& h : waiting) h.cancel();
            co_await settle();
            co_await serve(w);
            EXPECT_EQ(w.empty.try_get(), 7);
            EXPECT_TRUE(w.full.try_put(3));
            EXPECT_TRUE(w.mutex.try_lock());
            EXPECT_TRUE(w.condition_mutex.try_lock());
            EXPECT_TRUE(w.semaphore.try_acquire());
            co_await w.unfinished.join();
            const auto both = co_await aio::gather(w.barrier.wait(), w.barrier.wait());
            EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 1u);
        }
    };
    run_virtually(code::main());
}

/// Rounds of tasks at random waits, some cancelled, some served, the rest left to `run`.
TEST(AioEachWait, AStormEndsEveryTaskOnce) {
    struct code {
        static aio::task<> main(ledger& book, unsigned seed) {
            std::mt19937 random(seed);
            std::vector<std::unique_ptr<world>>& worlds = kept();
            for (int round = 0; round < 20; ++round) {
                worlds.push_back(std::make_unique<world>());
                world& w = *worlds.back();
                std::vector<aio::handle<void>> all;
                for (int i = 0; i < 50; ++i) {
                    const wait_case& each = cases[random() % std::size(cases)];
                    all.push_back(aio::spawn(observed(each.wait(w), book)));
                    if (random() % 4 == 0) co_await aio::sleep_for(0s);
                    if (random() % 3 == 0) all[random() % all.size()].cancel();
                }
                if (random() % 2 == 0) co_await serve(w);
                for (const auto& h : all) {
                    if (random() % 2 == 0) h.cancel();
                }
            }
        }
        /// Outlive the loop, since `run` ends the tasks that are left.
        static std::vector<std::unique_ptr<world>>& kept() {
            static std::vector<std::unique_ptr<world>> all;
            return all;
        }
    };
    const lost_failures lost;
    for (unsigned seed = 1; seed <= 5; ++seed) {
        ledger book;
        run_virtually(code::main(book, seed));
        EXPECT_GT(book.begun, 0) << seed;
        EXPECT_EQ(book.completed + book.cancelled, book.begun) << seed;
        EXPECT_EQ(book.destroyed, book.begun) << seed;
        code::kept().clear();
    }
}

} // namespace
