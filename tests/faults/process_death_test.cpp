/// Peers of an mp::queue and an mp::shared_value that are killed after every single instruction of
/// a call: what they hold stays whole, and nobody waits in vain.
#include "support/sanitizers.hpp"

#include <heddle/mp.hpp>

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mp = heddle::mp;

namespace {

#if defined(__x86_64__)

volatile long steps_left = 0;

/// Runs `call()` in a forked child that is killed when it has executed `steps` instructions of it,
/// after `warm_up()`, which spares it the dynamic linker's. True if the call came to its end.
///
/// The child sets the processor's trap flag, so that a signal handler runs after each instruction.
template <class WarmUp, class Call>
bool survives(long steps, WarmUp warm_up, Call call) {
    const pid_t child = fork();
    if (child == 0) {
        warm_up();
        steps_left = steps;
        std::signal(SIGTRAP, [](int) {
            if (steps_left == 0) kill(getpid(), SIGKILL);
            steps_left = steps_left - 1;
        });
        asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
        call();
        asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

/// Between two steps of the protocol there are more instructions than these. Time grows with the
/// square of how many there are in all.
#ifdef __OPTIMIZE__
constexpr int stride = 3;
#else
constexpr int stride = 20;
#endif

/// Kills the child after 0, 1, 2, … strides until it comes through.
/// `prepare()` makes what `call` works on; `check(it, finished)` looks at what is left of it.
template <class Prepare, class Call, class Check>
void at_every_step(Prepare prepare, Call call, Check check) {
    if (heddle::test::sanitized) GTEST_SKIP() << "would step through the sanitizer too";
    int killed = 0;
    for (bool finished = false; !finished; ++killed) {
        auto it = prepare();
        const auto warm_up = [&] { call(*new auto(prepare())); }; // threads may go on using it
        finished = survives(stride * killed, warm_up, [&] { call(it); });
        check(it, finished);
        if (testing::Test::HasFailure()) {
            ADD_FAILURE() << "killed after " << stride * killed << " instructions";
            return;
        }
    }
    EXPECT_GT(stride * killed, 150);
}

template <class T>
std::vector<T> drain(const mp::queue<T>& q) {
    std::vector<T> all;
    while (std::optional<T> next = q.try_get()) all.push_back(std::move(*next));
    return all;
}
/// Exactly `count` items are still to be done; then a join returns.
template <class T>
void expect_unfinished(const mp::queue<T>& q, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) EXPECT_NO_THROW(q.task_done()) << i;
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
    q.join();
}

mp::queue<std::string> two_items() {
    mp::queue<std::string> q(4);
    q.put("one");
    q.put(std::string(300, '2')); // two blocks
    return q;
}

TEST(PeerDeath, InsideAPutLeavesTheItemInTheQueueOrNot) {
    static const std::string third(300, '3');
    at_every_step(
        two_items,
        [](const mp::queue<std::string>& q) { q.put(third); },
        [](const mp::queue<std::string>& q, bool finished) {
            q.put("next"); // there is room, whatever was left behind
            std::vector<std::string> all = drain(q);
            ASSERT_GE(all.size(), 3u);
            EXPECT_EQ(all[0], "one");
            EXPECT_EQ(all[1], std::string(300, '2'));
            EXPECT_EQ(all.back(), "next");
            if (all.size() == 4) {
                EXPECT_EQ(all[2], third);
            } else {
                EXPECT_FALSE(finished);
            }
            expect_unfinished(q, all.size());
        });
}

TEST(PeerDeath, InsideAGetTakesTheItemOrLeavesIt) {
    at_every_step(
        two_items,
        [](const mp::queue<std::string>& q) { (void)q.get(); },
        [](const mp::queue<std::string>& q, bool finished) {
            q.put("next");
            std::vector<std::string> all = drain(q);
            if (all.size() == 3) {
                EXPECT_FALSE(finished);
                EXPECT_EQ(all.front(), "one");
                all.erase(all.begin());
            }
            EXPECT_EQ(all, (std::vector<std::string>{std::string(300, '2'), "next"}));
            expect_unfinished(q, 3);
        });
}

TEST(PeerDeath, InsideAShutdownDropsAllOrNothing) {
    at_every_step(
        two_items,
        [](const mp::queue<std::string>& q) { q.shutdown(heddle::immediate); },
        [](const mp::queue<std::string>& q, bool finished) {
            q.shutdown();
            std::size_t left = 0;
            try {
                for (;; ++left) (void)q.get();
            } catch (const heddle::queue_shut_down_error&) {
            }
            EXPECT_TRUE(left == 0 || (left == 2 && !finished)) << left;
            expect_unfinished(q, left);
        });
}

TEST(PeerDeath, InsideATaskDoneCountsItOrNot) {
    at_every_step(
        two_items,
        [](const mp::queue<std::string>& q) { q.task_done(); },
        [](const mp::queue<std::string>& q, bool finished) {
            q.put("next"); // makes the queue whole
            q.task_done();
            q.task_done();
            try {
                q.task_done();
                EXPECT_FALSE(finished);
            } catch (const heddle::invalid_state_error&) {
            }
            q.join();
        });
}

TEST(PeerDeath, InsideAPutNeverLeavesAWaitingGetterAsleepBesideTheItem) {
    struct pair {
        mp::queue<int> q;
        std::optional<std::jthread> getter; ///< gets until the queue is shut down
    };
    at_every_step(
        [] {
            pair made;
            made.getter.emplace([q = made.q] {
                for ([[maybe_unused]] const int n : q) continue;
            });
            return made;
        },
        [](const pair& p) { p.q.put(1); },
        [](const pair& p, bool) {
            while (!p.q.empty()) sched_yield(); // the watchdog ends the test if it is never taken
            p.q.shutdown();
        });
}

TEST(PeerDeath, InsideAGetNeverLeavesAWaitingPutterAsleepBesideTheRoom) {
    struct pair {
        mp::queue<int> q{1};
        std::optional<std::jthread> putter; ///< puts a second item
    };
    at_every_step(
        [] {
            pair made;
            made.q.put(1);
            made.putter.emplace([q = made.q] { q.put(2); });
            return made;
        },
        [](const pair& p) { (void)p.q.get(); },
        [](const pair& p, bool) {
            int last = 1;
            while (last != 2) last = p.q.get(); // the watchdog ends the test if it never comes
        });
}

struct halves {
    long a, b, c, d;
};

TEST(PeerDeath, InsideWithChangesAllOrNothingAndHoldsUpNobody) {
    at_every_step(
        [] { return mp::shared_value<halves>({1, 1, 1, 1}); },
        [](const mp::shared_value<halves>& v) { v.with([](halves& h) { h = {2, 2, 2, 2}; }); },
        [](const mp::shared_value<halves>& v, bool finished) {
            const halves now = v.load();
            EXPECT_TRUE(now.a == 2 || (now.a == 1 && !finished));
            EXPECT_EQ(std::vector({now.b, now.c, now.d}), std::vector(3, now.a));
            v.store({3, 3, 3, 3});
            EXPECT_EQ(v.load().d, 3);
        });
}

#endif // defined(__x86_64__)

TEST(PeerDeath, OfConsumersAtRandomLosesAtMostWhatTheyHad) {
    mp::queue<int> q(16), seen;
    constexpr int rounds = 40, each = 50;
    const auto consume = [](mp::queue<int> from, mp::queue<int> to) {
        for (const int n : from) to.put(n);
    };
    std::thread feeder([&] {
        for (int i = 0; i < rounds * each; ++i) q.put(i);
        q.shutdown();
    });
    for (int i = 0; i < rounds; ++i) {
        mp::process victim(consume, q, seen);
        while (seen.size() < static_cast<std::size_t>(i * each / 2)) sched_yield();
        victim.kill();
    }
    mp::process(consume, q, seen).join();
    feeder.join();
    std::vector<int> all = drain(seen);
    EXPECT_GE(all.size(), static_cast<std::size_t>(rounds * each - rounds));
    std::vector<int> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end()); // none twice
}

} // namespace
