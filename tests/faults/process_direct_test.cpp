/// Who takes an answer, and who has a call, when threads wait for it, workers are stopped or die,
/// and calls move from one worker to another.
#include "support/ledger.hpp"
#include "support/process.hpp"
#include "support/sanitizers.hpp"

#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>
#include <heddle/queue.hpp>

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::broken_process_pool_error;
using heddle::future;
using heddle::process_pool;
using heddle::test::add;
using heddle::test::wait_for_ever;
namespace mp = heddle::mp;

namespace {

/// Tells who runs it, and runs until it is asked to stop.
pid_t stay(std::stop_token stop, mp::queue<pid_t> tell) {
    tell.put(getpid());
    while (!stop.stop_requested()) sched_yield();
    return getpid();
}
/// Yields until the thread or process is in the state that the system names by this letter.
void until_state(pid_t id, char state) {
    for (char now = ' '; now != state;) {
        sched_yield();
        std::ifstream about("/proc/" + std::to_string(id) + "/stat");
        std::string text;
        std::getline(about, text);
        if (const auto end = text.rfind(')'); end != std::string::npos) now = text.at(end + 2);
    }
}
void stop_process(pid_t id) {
    kill(id, SIGSTOP);
    until_state(id, 'T');
}

// --- a thread that waits takes the answer itself ------------------------------------------------

/// A process pool with one call that runs, and a thread that sleeps until its end.
class DirectWait : public testing::Test {
protected:
    template <class F>
    std::thread waiting(F wait) {
        std::thread thread([this, wait] {
            thread_id_.put(gettid());
            wait();
        });
        until_state(thread_id_.get(), 'S');
        return thread;
    }
    mp::queue<pid_t> runs_on_;

private:
    heddle::queue<pid_t> thread_id_;
};

TEST_F(DirectWait, SeveralThreadsAllGetTheResult) {
    process_pool pool(1);
    const future<pid_t> f = pool.submit(stay, runs_on_);
    const pid_t worker = runs_on_.get();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.push_back(waiting([&] { EXPECT_EQ(f.result(), worker); }));
    }
    f.request_stop();
    for (auto& t : threads) t.join();
}

TEST_F(DirectWait, CallbacksRunOnThePoolsThreadAllTheSame) {
    process_pool pool(1);
    for (const bool before : {true, false}) {
        const future<pid_t> f = pool.submit(stay, runs_on_);
        runs_on_.get();
        heddle::queue<std::thread::id> called;
        const auto note = [&](const future<pid_t>&) { called.put(std::this_thread::get_id()); };
        if (before) f.add_done_callback(note);
        std::thread waiter = waiting([&] { f.result(); });
        if (!before) f.add_done_callback(note);
        f.request_stop();
        const std::thread::id by = called.get();
        EXPECT_NE(by, waiter.get_id());
        EXPECT_NE(by, std::this_thread::get_id());
        waiter.join();
    }
}

TEST_F(DirectWait, ALargeResultAnExceptionAndADeathWakeTheThreadToo) {
    process_pool pool(1);
    const auto large = [](std::stop_token stop, mp::queue<pid_t> tell) {
        stay(stop, tell);
        return std::vector<int>(300'000, 7);
    };
    const future<std::vector<int>> f = pool.submit(large, runs_on_);
    runs_on_.get();
    std::thread first = waiting([&] { EXPECT_EQ(f.result().size(), 300'000u); });
    f.request_stop();
    first.join();

    const auto fail = [](std::stop_token stop, mp::queue<pid_t> tell) {
        stay(stop, tell);
        throw std::domain_error("late");
    };
    const future<void> g = pool.submit(fail, runs_on_);
    runs_on_.get();
    std::thread second = waiting([&] { EXPECT_THROW(g.result(), std::domain_error); });
    g.request_stop();
    second.join();

    const future<pid_t> h = pool.submit(stay, runs_on_);
    const pid_t worker = runs_on_.get();
    std::thread third = waiting([&] { EXPECT_THROW(h.result(), broken_process_pool_error); });
    kill(worker, SIGKILL);
    third.join();
}

TEST_F(DirectWait, ACallThatIsRunAgainAfterACrashWakesTheThreadAtItsEnd) {
    process_pool pool({.max_workers = 1, .retries = 1});
    const future<pid_t> f = pool.submit(stay, runs_on_);
    const pid_t first = runs_on_.get();
    std::thread waiter = waiting([&] { EXPECT_NE(f.result(), first); });
    kill(first, SIGKILL);
    EXPECT_NE(runs_on_.get(), first);
    f.request_stop();
    waiter.join();
}

TEST_F(DirectWait, ShutdownWaitsForTheCallAndItsThread) {
    heddle::test::ledger book;
    process_pool pool(1);
    const future<pid_t> f = book.track(pool.submit(stay, runs_on_));
    runs_on_.get();
    std::thread waiter = waiting([&] { f.result(); });
    std::thread closer = waiting([&] { pool.shutdown(); });
    EXPECT_FALSE(f.done());
    f.request_stop();
    closer.join();
    EXPECT_TRUE(f.done());
    waiter.join();
    book.expect_balanced();
}

TEST_F(DirectWait, AnAnswerThatNobodyFetchesIsToldThoughOthersWereFetched) {
    process_pool pool(1);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(pool.submit(add, i, 1).result(), i + 1); // the worker hopes for another thread
        heddle::queue<int> told;
        pool.submit(add, i, 2).add_done_callback([&](auto f) { told.put(f.result()); });
        EXPECT_EQ(told.get(), i + 2);
    }
}

// --- who has a call -----------------------------------------------------------------------------

TEST(ProcessClaims, AWorkerThatDiesBetweenTwoCallsLosesNone) {
    process_pool pool(1);
    for (int calls = 1; calls <= 3; ++calls) {
        const pid_t worker = pool.submit(getpid).result();
        stop_process(worker);
        std::vector<future<int>> sent;
        for (int i = 0; i < calls; ++i) sent.push_back(pool.submit(add, i, calls));
        kill(worker, SIGKILL);
        for (int i = 0; i < calls; ++i) {
            EXPECT_EQ(sent[static_cast<std::size_t>(i)].result(), i + calls);
        }
    }
}

TEST(ProcessClaims, AShortCallIsToldOfWhileALongOneBehindItRuns) {
    process_pool pool(1);
    mp::queue<pid_t> runs_on;
    pool.map(add, std::vector<int>(2000), std::vector<int>(2000)).collect(); // they are short
    const pid_t worker = pool.submit(getpid).result();
    stop_process(worker); // so that all of them lie in its line
    std::vector<future<int>> before;
    for (int i = 0; i < 12; ++i) before.push_back(pool.submit(add, i, 1));
    const future<pid_t> longer = pool.submit(stay, runs_on);
    std::vector<future<int>> behind;
    for (int i = 0; i < 12; ++i) behind.push_back(pool.submit(add, i, 1));
    kill(worker, SIGCONT);
    for (const auto& f : before) f.wait();
    EXPECT_FALSE(longer.done());
    longer.request_stop();
    for (const auto& f : behind) f.wait();
}

TEST(ProcessClaims, CancelFindsACallThatHasGoneToAnotherWorker) {
    process_pool pool(1);
    mp::queue<pid_t> runs_on;
    const future<pid_t> first = pool.submit(stay, runs_on);
    const pid_t worker = runs_on.get();
    const future<pid_t> second = pool.submit(stay, runs_on); // waits behind the first
    const future<void> third = pool.submit([] { std::abort(); });
    EXPECT_FALSE(second.running());
    kill(worker, SIGKILL);
    EXPECT_THROW(first.result(), broken_process_pool_error);
    EXPECT_NE(runs_on.get(), worker); // the second runs elsewhere, the third waits behind it
    EXPECT_FALSE(second.cancel());
    EXPECT_TRUE(third.cancel());
    second.request_stop();
    second.result();
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3); // the third has not run there
}

TEST(ProcessClaims, AStopRequestFollowsACallToTheWorkerThatItMovedTo) {
    process_pool pool(2);
    mp::queue<pid_t> runs_on;
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
    const future<pid_t> first = pool.submit(stay, runs_on);
    const pid_t busy = runs_on.get();
    // Goes behind the first, and on to a worker that is started for it.
    const future<pid_t> second = pool.submit(stay, runs_on);
    const pid_t other = runs_on.get();
    EXPECT_NE(other, busy);
    EXPECT_FALSE(second.cancel());
    EXPECT_TRUE(second.request_stop());
    EXPECT_EQ(second.result(), other);
    EXPECT_FALSE(first.done());
    first.request_stop();
}

TEST(ProcessClaims, ATimeLimitHoldsForACallThatGoesToAnIdleWorker) {
    process_pool pool({.max_workers = 1, .task_timeout = 100ms});
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(pool.submit(add, i, 1).result(), i + 1);
        EXPECT_THROW(pool.submit(wait_for_ever).result(), heddle::timeout_error);
    }
}

#if defined(__x86_64__)
volatile long steps_left = 0;

/// Lets this process execute so many more instructions, and kills it then: the processor's trap
/// flag makes a signal handler run after each, also when this call has ended.
void live_for(long steps) {
    steps_left = steps;
    std::signal(SIGTRAP, [](int) {
        if (steps_left == 0) kill(getpid(), SIGKILL);
        steps_left = steps_left - 1;
    });
    asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}
pid_t live_on() {
    asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    return getpid();
}

/// Kills a worker while it answers a call, waits for the next, takes it, runs it and answers it.
/// True if it came through. `wait` is how this thread waits for each.
template <class Wait>
bool survives(process_pool& pool, long steps, Wait wait) {
    const pid_t worker = pool.submit(getpid).result();
    const future<void> armed = pool.submit(live_for, steps);
    wait(armed);
    const future<int> next = pool.submit(add, 40, 2);
    wait(next);
    const auto expect_value_or_broken = [](const auto& f) {
        if (f.exception()) {
            EXPECT_THROW(f.result(), broken_process_pool_error);
        }
        return !f.exception();
    };
    expect_value_or_broken(armed);
    if (expect_value_or_broken(next)) {
        EXPECT_EQ(next.result(), 42);
    }
    const future<pid_t> last = pool.submit(live_on);
    return !last.exception() && last.result() == worker;
}

TEST(ProcessClaims, AWorkerKilledAfterAnyInstructionLosesAtMostTheCallThatItRan) {
    if (heddle::test::sanitized) GTEST_SKIP() << "would step through the sanitizer too";
    process_pool pool(1);
    const auto fetch = [](const auto& f) { f.wait(); };
    const auto be_told = [](const auto& f) { EXPECT_TRUE(f.wait_for(1h)); };
    int killed = 0;
    while (!survives(pool, 101 * killed, fetch)) ++killed;
    EXPECT_GT(killed, 10);
    for (killed = 0; !survives(pool, 211 * killed, be_told);) ++killed;
    EXPECT_GT(killed, 10);
}
#endif

} // namespace
