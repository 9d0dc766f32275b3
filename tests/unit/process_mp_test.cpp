/// mp::process, mp::queue, mp::shared_value and mp::shared_array: what they do when nobody dies.
#include "support/process.hpp"

#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace mp = heddle::mp;
using heddle::test::wait_for_ever;

namespace {

int exit_code_of(mp::process p) {
    p.join();
    return p.exit_code().value();
}

// --- mp::process --------------------------------------------------------------------------------

TEST(MpProcess, RunsAFunctionInAProcessOfItsOwn) {
    mp::queue<int> ids;
    mp::process p([](mp::queue<int> to) { to.put(getpid()); }, ids);
    EXPECT_EQ(ids.get(), p.pid());
    EXPECT_NE(p.pid(), getpid());
    p.join();
    p.join();
    EXPECT_FALSE(p.is_alive());
    EXPECT_EQ(p.exit_code(), 0);
}

TEST(MpProcess, SaysHowItEnded) {
    EXPECT_EQ(exit_code_of(mp::process([] {})), 0);
    EXPECT_EQ(exit_code_of(mp::process([] { std::exit(3); })), 3);
    EXPECT_EQ(exit_code_of(mp::process([](int code) { _exit(code); }, 7)), 7);
    EXPECT_EQ(exit_code_of(mp::process([] { raise(SIGKILL); })), -SIGKILL);
    EXPECT_EQ(exit_code_of(mp::process([]() -> int { return 5; })), 0); // results go nowhere
}

TEST(MpProcess, WhatItThrowsIsOnItsStderr) {
    mp::queue<std::string> said;
    const auto in_between = [](mp::queue<std::string> to) {
        char path[] = "/tmp/heddle-stderr-XXXXXX";
        std::FILE* const kept = fdopen(mkstemp(path), "r+");
        unlink(path);
        const int own = dup(STDERR_FILENO);
        dup2(fileno(kept), STDERR_FILENO);
        mp::process p({.name = "thrower"}, [] { throw std::out_of_range("too far"); });
        p.join();
        dup2(own, STDERR_FILENO);
        std::rewind(kept);
        std::string text(200, '\0');
        text.resize(std::fread(text.data(), 1, text.size(), kept));
        to.put(text + std::to_string(p.exit_code().value()));
    };
    mp::process outer(in_between, said);
    EXPECT_EQ(said.get(),
              "heddle: mp::process \"thrower\" ended by an exception: std::out_of_range: too far\n"
              "1");
}

TEST(MpProcess, IsAliveUntilItIsEnded) {
    mp::process p(wait_for_ever);
    EXPECT_TRUE(p.is_alive());
    EXPECT_FALSE(p.exit_code());
    EXPECT_FALSE(p.join_for(0s));
    EXPECT_FALSE(p.join_for(2ms));
    p.terminate();
    EXPECT_TRUE(p.join_for(60s));
    EXPECT_EQ(p.exit_code(), -SIGTERM);
    p.terminate(); // after the end: nothing
    mp::process q(wait_for_ever);
    q.kill();
    q.join();
    EXPECT_EQ(q.exit_code(), -SIGKILL);
}

TEST(MpProcess, HasItsName) {
    mp::queue<std::string> names;
    mp::process p(
        {.name = "loader"},
        [](mp::queue<std::string> to) {
            std::FILE* const f = std::fopen("/proc/self/comm", "r");
            char name[32] = {};
            EXPECT_NE(std::fgets(name, sizeof name, f), nullptr);
            std::fclose(f);
            to.put(name);
        },
        names);
    EXPECT_EQ(p.name(), "loader");
    EXPECT_EQ(names.get(), "loader\n");
}

TEST(MpProcess, MovesAndIsJoinedByItsDestructor) {
    mp::shared_value<int> done;
    {
        std::vector<mp::process> all;
        for (int i = 0; i < 3; ++i) {
            all.emplace_back([](mp::shared_value<int> d) { d.fetch_add(1); }, done);
        }
        mp::process first = std::move(all[0]);
        EXPECT_THROW((void)all[0].pid(), heddle::invalid_state_error);
        first = std::move(all[1]); // joins the one it stood for
    }
    EXPECT_EQ(done.load(), 3);
}

TEST(MpProcess, SharesNothingThatIsNotShared) {
    static int global = 1;
    mp::shared_value<int> shared(1);
    mp::process p(
        [](mp::shared_value<int> s) {
            global = 2;
            s.store(2);
        },
        shared);
    p.join();
    EXPECT_EQ(global, 1);
    EXPECT_EQ(shared.load(), 2);
}

TEST(MpProcess, ANullFunctionIsRefused) {
    EXPECT_THROW(mp::process(static_cast<void (*)()>(nullptr)), std::invalid_argument);
}

// --- mp::queue ----------------------------------------------------------------------------------

TEST(MpQueue, HandsItemsOverInOrder) {
    mp::queue<int> q;
    for (int i = 0; i < 5000; ++i) q.put(i); // beyond its first segments
    EXPECT_EQ(q.size(), 5000u);
    for (int i = 0; i < 5000; ++i) EXPECT_EQ(q.get(), i);
    EXPECT_TRUE(q.empty());
    EXPECT_FALSE(q.try_get());
    EXPECT_FALSE(q.get_for(1ms));
    EXPECT_EQ(q.capacity(), 0u);
    EXPECT_FALSE(q.full());
}

TEST(MpQueue, KeepsToItsCapacity) {
    mp::queue<int> q(2);
    EXPECT_TRUE(q.try_put(1));
    EXPECT_TRUE(q.put_for(2, 1ms));
    EXPECT_TRUE(q.full());
    EXPECT_EQ(q.capacity(), 2u);
    EXPECT_FALSE(q.try_put(3));
    EXPECT_FALSE(q.put_for(3, 1ms));
    mp::process p([](mp::queue<int> from) { from.get(); }, q);
    q.put(3); // waits for the other process
    EXPECT_EQ(q.get(), 2);
    EXPECT_EQ(q.get(), 3);
    EXPECT_THROW(mp::queue<int>(static_cast<std::size_t>(-1)), std::invalid_argument);
}

struct parsed {
    std::string text;
    std::map<int, std::vector<double>> numbers;
    bool operator==(const parsed&) const = default;
    template <class A>
    void serialize(A& a) {
        a(text, numbers);
    }
};
struct plain {
    explicit plain(int n) : a(n), b(n * 0.5) {}
    int a;
    double b;
    std::array<char, 5000> ballast{};
};

TEST(MpQueue, CarriesAnythingThatCanBeEncoded) {
    mp::queue<parsed> q;
    const parsed item{"x", {{1, {2.5}}, {2, {}}}};
    q.put(item);
    q.put({});
    EXPECT_EQ(q.get(), item);
    EXPECT_EQ(q.get(), parsed());
    mp::queue<std::string> texts;
    for (std::size_t n : {0u, 1u, 240u, 241u, 1'000'000u}) {
        texts.put(std::string(n, 'y'));
        EXPECT_EQ(texts.get().size(), n);
    }
    mp::queue<plain> plains; // trivially copyable, without a default constructor
    plains.put(plain(3));
    EXPECT_EQ(plains.get().b, 1.5);
    mp::queue<mp::queue<int>> nested;
    EXPECT_THROW(nested.put(mp::queue<int>()), std::invalid_argument);
}

TEST(MpQueue, FeedsFourConsumersUntilItIsShutDown) {
    mp::queue<int> numbers(8), squares;
    std::vector<mp::process> consumers;
    for (int i = 0; i < 4; ++i) {
        consumers.emplace_back(
            [](mp::queue<int> from, mp::queue<int> to) {
                for (const int n : from) to.put(n * n);
            },
            numbers,
            squares);
    }
    int expected = 0;
    for (int i = 0; i < 100; ++i) numbers.put(i), expected += i * i;
    numbers.shutdown();
    for (auto& c : consumers) EXPECT_EQ(exit_code_of(std::move(c)), 0);
    EXPECT_EQ(squares.size(), 100u);
    int sum = 0;
    while (const auto s = squares.try_get()) sum += *s;
    EXPECT_EQ(sum, expected);
}

TEST(MpQueue, JoinWaitsUntilAllIsDone) {
    mp::queue<int> q;
    mp::shared_value<int> sum;
    for (int i = 1; i <= 20; ++i) q.put(i);
    mp::process p(
        [](mp::queue<int> from, mp::shared_value<int> s) {
            for (int i = 0; i < 20; ++i) {
                auto item = from.get_tracked();
                s.fetch_add(*item);
            }
        },
        q,
        sum);
    q.join();
    EXPECT_EQ(sum.load(), 210);
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
}

TEST(MpQueue, ShutdownWakesWhoWaitsInEveryProcess) {
    mp::queue<int> empty, full(1), told;
    full.put(1);
    mp::process getter(
        [](mp::queue<int> q, mp::queue<int> to) {
            try {
                q.get();
            } catch (const heddle::queue_shut_down_error&) {
                to.put(1);
            }
        },
        empty,
        told);
    std::thread putter([&] { EXPECT_THROW(full.put(2), heddle::queue_shut_down_error); });
    empty.shutdown();
    full.shutdown();
    putter.join();
    EXPECT_EQ(told.get(), 1);
    EXPECT_EQ(full.get(), 1); // what is queued can still be taken
    EXPECT_THROW((void)full.get(), heddle::queue_shut_down_error);
    EXPECT_THROW((void)full.try_get(), heddle::queue_shut_down_error);
    EXPECT_THROW((void)full.try_put(1), heddle::queue_shut_down_error);
}

TEST(MpQueue, ShutdownAtOnceDropsWhatIsQueuedAndCountsItDone) {
    mp::queue<std::string> q;
    for (int i = 0; i < 10; ++i) q.put("item");
    const std::string taken = q.get();
    q.shutdown(heddle::immediate);
    EXPECT_TRUE(q.empty());
    EXPECT_THROW((void)q.get(), heddle::queue_shut_down_error);
    q.task_done();
    q.join();
    EXPECT_THROW(q.task_done(), heddle::invalid_state_error);
}

TEST(MpQueue, LosesNothingBetweenManyThreadsAndProcesses) {
    mp::queue<int> in(16), out(16);
    std::vector<mp::process> processes;
    for (int i = 0; i < 3; ++i) {
        processes.emplace_back(
            [](mp::queue<int> from, mp::queue<int> to) {
                for (const int n : from) to.put(n);
            },
            in,
            out);
    }
    std::vector<std::thread> putters;
    for (int t = 0; t < 3; ++t) {
        putters.emplace_back([&, t] {
            for (int i = 0; i < 1000; ++i) in.put(t * 1000 + i);
        });
    }
    std::vector<int> got;
    for (int i = 0; i < 3000; ++i) got.push_back(out.get());
    for (auto& t : putters) t.join();
    in.shutdown();
    std::ranges::sort(got);
    std::vector<int> all(3000);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(got, all);
}

// --- handles as arguments -----------------------------------------------------------------------

struct wiring {
    mp::queue<int> in;
    std::vector<mp::queue<std::string>> out;
    mp::shared_value<long> sum;
    template <class A>
    void serialize(A& a) {
        a(in, out, sum);
    }
};
wiring work(wiring w) {
    for (const int n : w.in) {
        w.sum.fetch_add(n);
        w.out[static_cast<std::size_t>(n % 2)].put(std::to_string(n));
    }
    return w;
}

TEST(MpHandles, TravelInsideOtherArgumentsAndComeBack) {
    wiring w;
    w.out.resize(2);
    for (int i = 0; i < 10; ++i) w.in.put(i);
    w.in.shutdown();
    heddle::process_pool pool(1);
    const wiring back = pool.submit(work, w).result();
    EXPECT_EQ(w.sum.load(), 45);
    EXPECT_EQ(back.sum.load(), 45);
    EXPECT_EQ(w.out[1].get(), "1");
    EXPECT_EQ(back.out[1].get(), "3");
}

TEST(MpHandles, TravelInTheItemsOfAMap) {
    heddle::process_pool pool(2);
    std::vector<std::pair<int, mp::shared_value<int>>> items(7);
    for (std::size_t i = 0; i < items.size(); ++i) items[i].first = static_cast<int>(i);
    const auto set = [](int n, mp::shared_value<int> v) {
        v.store(n * 10);
        return v;
    };
    const auto back = pool.starmap({.chunk_size = 3}, set, items).collect();
    for (std::size_t i = 0; i < items.size(); ++i) {
        EXPECT_EQ(items[i].second.load(), static_cast<int>(i) * 10);
        EXPECT_EQ(back[i].load(), static_cast<int>(i) * 10);
    }
}

TEST(MpHandles, GoOnFromAWorkerToItsOwnProcesses) {
    mp::queue<int> q;
    heddle::process_pool pool(1);
    const auto middle = [](mp::queue<int> to) {
        mp::process p([](mp::queue<int> t) { t.put(1); }, to);
        heddle::process_pool inner(1);
        inner.submit([](mp::queue<int> t) { t.put(2); }, to).result();
    };
    pool.submit(middle, q).result();
    EXPECT_EQ(q.get() + q.get(), 3);
}

// --- shared memory ------------------------------------------------------------------------------

struct score {
    int points;
    double weight;
};

TEST(MpSharedValue, IsChangedUnderALock) {
    mp::shared_value<score> best(score{1, 0.5});
    std::vector<mp::process> all;
    for (int i = 0; i < 4; ++i) {
        all.emplace_back(
            [](mp::shared_value<score> b) {
                for (int k = 0; k < 500; ++k) b.with([](score& s) { ++s.points, s.weight += 1; });
            },
            best);
    }
    all.clear();
    EXPECT_EQ(best.load().points, 2001);
    EXPECT_EQ(best.load().weight, 2000.5);
    EXPECT_EQ(best.with([](score& s) { return s.points; }), 2001);
    mp::shared_value<int> n(5);
    EXPECT_EQ(n.fetch_add(-2), 5);
    EXPECT_EQ(n.load(), 3);
    EXPECT_EQ(mp::shared_value<int>().load(), 0);
}

TEST(MpSharedValue, IsAsItWasIfWithThrows) {
    mp::shared_value<int> v(1);
    EXPECT_THROW(v.with([](int& i) {
        i = 2;
        throw std::runtime_error("no");
    }),
                 std::runtime_error);
    EXPECT_EQ(v.load(), 1);
    EXPECT_THROW(v.with([&](int&) { v.store(3); }), heddle::would_deadlock_error);
    v.store(4);
    EXPECT_EQ(v.load(), 4);
}

TEST(MpSharedArray, IsWrittenByProcessesInParts) {
    mp::shared_array<int> a(1000);
    EXPECT_EQ(a.size(), 1000u);
    EXPECT_EQ(std::accumulate(a.begin(), a.end(), 0), 0);
    {
        std::vector<mp::process> all;
        for (std::size_t part = 0; part < 4; ++part) {
            all.emplace_back(
                [](mp::shared_array<int> mine, std::size_t from) {
                    for (std::size_t i = from; i < from + 250; ++i) mine[i] = static_cast<int>(i);
                },
                a,
                part * 250);
        }
    }
    EXPECT_EQ(std::accumulate(a.begin(), a.end(), 0), 499'500);
    EXPECT_EQ(mp::shared_array<int>(0).size(), 0u);
    EXPECT_THROW(mp::shared_array<int>(static_cast<std::size_t>(-1)), std::invalid_argument);
}

} // namespace
