/// What a process pool makes of calls, and of workers that throw, crash, hang or vanish.
#include "../../src/core/place.hpp"
#include "support/ledger.hpp"
#include "support/lost_failures.hpp"
#include "support/process.hpp"
#include "support/sanitizers.hpp"

#include <heddle/mp.hpp>
#include <heddle/process_pool.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using heddle::broken_process_pool_error;
using heddle::future;
using heddle::process_pool;
using heddle::test::add;
using heddle::test::wait_for_ever;
using heddle::test::why_broken;

namespace {

template <class T>
T twice(T value) {
    return value + value;
}
int apply(int (*f)(int, int), int a, int b) {
    return f(a, b);
}
int own_id() {
    return getpid();
}
void die_of(int signal) {
    std::signal(signal, SIG_DFL); // a sanitizer may have its own handler
    prctl(PR_SET_DUMPABLE, 0);    // no core file: a sanitizer's would be huge
    raise(signal);
}
int descriptors_open() {
    DIR* const all = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(all)) ++count;
    closedir(all);
    return count;
}

// --- calls --------------------------------------------------------------------------------------

TEST(ProcessPool, CallsFunctionsLambdasTemplatesAndFunctionsOfLibraries) {
    process_pool pool(2);
    EXPECT_EQ(pool.submit(add, 2, 3).result(), 5);
    EXPECT_EQ(pool.submit([](int a) { return a + 1; }, 2).result(), 3);
    EXPECT_EQ(pool.submit([](auto a, auto b) { return a + b; }, 1.5, 2).result(), 3.5);
    EXPECT_EQ(pool.submit(twice<std::string>, "ab").result(), "abab");
    EXPECT_EQ(pool.submit(apply, add, 4, 5).result(), 9);
    EXPECT_EQ(pool.submit(std::atoi, "42").result(), 42); // in libc
    EXPECT_NE(pool.submit(own_id).result(), getpid());
}

TEST(ProcessPool, CarriesStandardTypesBothWays) {
    process_pool pool(1);
    using words = std::map<std::string, std::vector<int>>;
    const words given{{"a", {1, 2}}, {"b", {}}};
    EXPECT_EQ(pool.submit([](words w) { return w; }, given).result(), given);
    auto boxed = pool.submit([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(7));
    EXPECT_EQ(*std::move(boxed).result(), 7);
    const std::string_view text = "taken along";
    EXPECT_EQ(pool.submit([](std::string_view t) { return t.size(); }, text).result(), text.size());
    const std::vector<double> large(1'000'000, 0.5);
    EXPECT_EQ(pool.submit([](std::vector<double> v) { return v; }, large).result(), large);
}

TEST(ProcessPool, MapsInChunksInOrderAndAtOnce) {
    process_pool pool(2);
    std::vector<int> inputs, squares;
    for (int i = 0; i < 200; ++i) inputs.push_back(i), squares.push_back(i * i);
    const auto square = [](int i) { return i * i; };
    EXPECT_EQ(pool.map(square, inputs).collect(), squares);
    EXPECT_EQ(pool.map({.chunk_size = 7, .buffer_size = 20}, square, inputs).collect(), squares);
    EXPECT_EQ(pool.map_async(square, inputs).result(), squares);
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}, {5, 6}};
    EXPECT_EQ(pool.starmap([](int a, int b) { return a * b; }, pairs).collect(),
              (std::vector{2, 12, 30}));
    int sum = 0;
    for (int got : pool.map_unordered(square, std::vector{1, 2, 3})) sum += got;
    EXPECT_EQ(sum, 14);
}

TEST(ProcessPool, SharesNoMemoryWithItsWorkers) {
    static int global = 1;
    process_pool pool({.max_workers = 1, .initializer = [] { global = 10; }});
    EXPECT_EQ(pool.submit([] { return ++global; }).result(), 11);
    EXPECT_EQ(global, 1);
}

// --- exceptions ---------------------------------------------------------------------------------

struct own_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

TEST(ProcessPool, BringsStandardExceptionsBackAsThemselvesAndOthersByName) {
    process_pool pool(1);
    try {
        pool.submit([] { throw std::out_of_range("far"); }).result();
        FAIL();
    } catch (const std::out_of_range& e) {
        EXPECT_STREQ(e.what(), "far");
    }
    try {
        pool.submit([] { throw std::system_error(ENOENT, std::generic_category(), "x"); }).result();
        FAIL();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), std::errc::no_such_file_or_directory);
        EXPECT_STREQ(e.what(), "x: No such file or directory");
    }
    EXPECT_THROW(pool.submit([] { throw std::bad_alloc(); }).result(), std::bad_alloc);
    const auto read_nothing = [] {
        std::ifstream file;
        file.exceptions(std::ios::failbit);
        file.open("/no/such/file");
    };
    EXPECT_THROW(pool.submit(read_nothing).result(), std::ios_base::failure);
    try {
        pool.submit([] { return std::filesystem::file_size("/no/such/file"); }).result();
        FAIL();
    } catch (const std::filesystem::filesystem_error& e) {
        EXPECT_EQ(e.path1(), "/no/such/file");
        EXPECT_EQ(e.code(), std::errc::no_such_file_or_directory);
    }
    try {
        pool.submit([] { throw own_error("mine"); }).result();
        FAIL();
    } catch (const heddle::remote_error& e) {
        EXPECT_TRUE(e.type_name().ends_with("own_error")) << e.type_name();
        EXPECT_STREQ(e.what(), "mine");
    }
    EXPECT_EQ(pool.submit(add, 1, 1).result(), 2);
}

enum class fault { none, thrown, exited, crashed };
enum class place { nowhere, save_argument, load_argument, run, save_result, load_result };

void strike(fault f) {
    if (f == fault::thrown) throw std::domain_error("struck");
    if (f == fault::exited) _exit(3);
    if (f == fault::crashed) die_of(SIGSEGV);
}
/// A value that fails where it was told to, as an argument (leg 1) or as a result (leg 2).
struct loaded {
    fault f = fault::none;
    place where = place::nowhere;
    int leg = 1;
    std::string ballast = {};
    template <class A>
    void save(A& to) const {
        if (where == (leg == 1 ? place::save_argument : place::save_result)) strike(f);
        to(f, where, leg, ballast);
    }
    template <class A>
    void load(A& from) {
        from(f, where, leg, ballast);
        if (where == (leg == 1 ? place::load_argument : place::load_result)) strike(f);
    }
};
loaded pass_on(loaded it) {
    if (it.where == place::run) strike(it.f);
    it.leg = 2;
    return it;
}

TEST(ProcessPool, EndsTheFutureWhateverFailsAtWhicheverStep) {
    process_pool pool(1);
    const std::size_t large = std::size_t{heddle::test::sanitized ? 4 : 64} << 20;
    for (const std::size_t size : {std::size_t{10}, large}) {
        const std::string ballast(size, 'x');
        for (const place at :
             {place::load_argument, place::run, place::save_result, place::load_result}) {
            const loaded thrower{fault::thrown, at, 1, ballast};
            EXPECT_THROW(pool.submit(pass_on, thrower).result(), std::domain_error);
            if (at == place::load_result) continue; // that step runs in this very process
            for (const fault f : {fault::exited, fault::crashed}) {
                const auto failure = pool.submit(pass_on, loaded{f, at, 1, ballast}).exception();
                const char* const how = f == fault::exited ? "exit code 3" : "SIGSEGV";
                EXPECT_NE(why_broken(failure).find(how), std::string::npos) << why_broken(failure);
            }
        }
        const loaded early{fault::thrown, place::save_argument, 1, ballast};
        EXPECT_THROW((void)pool.submit(pass_on, early), std::domain_error);
        EXPECT_EQ(pool.submit(pass_on, loaded{.ballast = ballast}).result().ballast, ballast);
    }
}

// --- containment --------------------------------------------------------------------------------

TEST(ProcessPool, ACrashFailsOnlyTheRunningTaskAndTellsWhichHowAndItsLastWords) {
    process_pool pool(1);
    const future<void> guilty = pool.submit({.name = "guilty"}, [] {
        std::fputs("about to fall\n", stderr);
        die_of(SIGABRT);
    });
    std::vector<future<int>> others;
    for (int i = 0; i < 20; ++i) others.push_back(pool.submit(add, i, 1));
    const std::string text = why_broken(guilty.exception());
    for (const char* part : {"guilty", "SIGABRT", "about to fall"}) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].result(), i + 1);
}

TEST(ProcessPool, ACrashInAMapSaysAtWhichItem) {
    process_pool pool(1);
    const auto fall_at_7 = [](int n) {
        if (n == 7) die_of(SIGABRT);
        return n;
    };
    const auto why = [&](std::size_t chunk) {
        auto results = pool.map({.chunk_size = chunk}, fall_at_7, std::views::iota(0, 10));
        for (auto it = results.begin(); it != results.end(); ++it) {
            try {
                (void)*it;
            } catch (...) {
                return why_broken(std::current_exception());
            }
        }
        return std::string("not at all");
    };
    EXPECT_TRUE(why(1).starts_with("item 7 of a map was lost")) << why(1);
    EXPECT_TRUE(why(4).starts_with("one of the items 4 to 7 of a map was lost")) << why(4);
}

TEST(ProcessPool, LosesNoTaskWhenWorkersAreKilledAtRandom) {
    heddle::test::ledger book;
    {
        process_pool pool(2);
        for (int i = 0; i < 2000; ++i) {
            book.track(pool.submit(
                [](int n) {
                    if (n % 97 == 13) raise(SIGKILL);
                    if (n % 101 == 5) throw std::runtime_error("no");
                    return n;
                },
                i));
        }
    }
    book.expect_balanced();
    EXPECT_EQ(book.submitted(), 2000u);
    EXPECT_EQ(book.broken(), 21u);
    EXPECT_EQ(book.exceptions(), 19u); // and one that would have thrown had it not been killed
}

TEST(ProcessPool, KillsOnlyTheTaskThatRunsTooLong) {
    process_pool pool({.max_workers = 1, .task_timeout = 300ms});
    const future<void> endless = pool.submit({.name = "endless"}, wait_for_ever);
    const future<int> next = pool.submit(add, 1, 2);
    try {
        endless.result();
        FAIL();
    } catch (const heddle::timeout_error& e) {
        EXPECT_NE(std::string(e.what()).find("endless"), std::string::npos);
    }
    EXPECT_EQ(next.result(), 3);
}

TEST(ProcessPool, RunsATaskAgainAfterACrashIfAskedTo) {
    process_pool pool({.max_workers = 1, .retries = 2});
    std::FILE* const counts = std::tmpfile(); // what survives the crashes
    const std::string path =
        "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fileno(counts));
    const auto fall_twice = [](const std::string& file) {
        std::FILE* const f = std::fopen(file.c_str(), "a");
        std::fputc('x', f);
        std::fclose(f);
        std::FILE* const r = std::fopen(file.c_str(), "r");
        int seen = 0;
        while (std::fgetc(r) != EOF) ++seen;
        std::fclose(r);
        if (seen < 3) _exit(1);
        return seen;
    };
    EXPECT_EQ(pool.submit(fall_twice, path).result(), 3);
    std::fclose(counts);
    const std::string text = why_broken(pool.submit(die_of, SIGKILL).exception());
    EXPECT_NE(text.find("the last of 3 attempts"), std::string::npos) << text;
}

TEST(ProcessPool, ReplacesAWorkerThatHasDoneItsShare) {
    process_pool pool({.max_workers = 1, .max_tasks_per_worker = 2});
    std::map<int, int> tasks;
    for (int i = 0; i < 6; ++i) ++tasks[pool.submit(own_id).result()];
    EXPECT_EQ(tasks.size(), 3u);
    for (const auto& [id, count] : tasks) EXPECT_EQ(count, 2);
}

TEST(ProcessPool, IsBrokenWhenItsWorkersDieBeforeTheyAreReady) {
    process_pool pool({.max_workers = 2, .initializer = [] { _exit(9); }});
    const std::string text = why_broken(pool.submit(add, 1, 2).exception());
    EXPECT_NE(text.find("exit code 9"), std::string::npos) << text;
    EXPECT_THROW((void)pool.submit(add, 1, 2), broken_process_pool_error);
    process_pool thrower({.initializer = [] { throw std::runtime_error("no licence"); }});
    const std::string why = why_broken(thrower.submit(add, 1, 2).exception());
    EXPECT_NE(why.find("no licence"), std::string::npos) << why;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
TEST(ProcessPool, AWorkerBeyondItsMemoryLimitThrowsBadAlloc) {
    process_pool pool({.max_workers = 1, .memory_limit_bytes = std::size_t{256} << 20});
    const auto hog = [](std::size_t bytes) { return std::vector<char>(bytes).size(); };
    EXPECT_THROW(pool.submit(hog, std::size_t{1} << 30).result(), std::bad_alloc);
    EXPECT_EQ(pool.submit(hog, std::size_t{1} << 20).result(), std::size_t{1} << 20);
}
#endif

// --- stopping -----------------------------------------------------------------------------------

TEST(ProcessPool, AStopRequestReachesTheWorker) {
    process_pool pool(1);
    const future<int> f = pool.submit([](std::stop_token stop) {
        while (!stop.stop_requested()) sched_yield();
        return 5;
    });
    EXPECT_TRUE(f.request_stop());
    EXPECT_FALSE(f.request_stop());
    EXPECT_EQ(f.result(), 5);
}

TEST(ProcessPool, DroppedResultsOfAMapAskTheWorkerToStop) {
    heddle::mp::queue<int> tell;
    process_pool pool(1);
    {
        const auto results = pool.map(
            [](std::stop_token stop, heddle::mp::queue<int> running) {
                running.put(1);
                while (!stop.stop_requested()) sched_yield();
            },
            std::vector<heddle::mp::queue<int>>{tell});
        EXPECT_EQ(tell.get(), 1);
    }
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
}

TEST(ProcessPool, FailuresOfAMapThatNobodySawNameItsCall) {
    heddle::test::lost_failures lost;
    const auto fail = [](int i) -> int { throw std::runtime_error(std::to_string(i)); };
    process_pool pool(1);
    for (const std::size_t chunk : {1u, 3u}) {
        auto results = pool.map({.chunk_size = chunk}, fail, std::vector{1, 2, 3});
        auto it = results.begin();
        EXPECT_THROW(*it, std::runtime_error);
        ++it;
        ++it; // 2 is skipped; 3 is looked at
        EXPECT_THROW(*it, std::runtime_error);
    }
    ASSERT_EQ(lost.count(), 2u);
    for (const std::size_t i : {0u, 1u}) {
        const std::string place = heddle::detail::describe_code(lost.at(i).address);
        EXPECT_NE(place.find("process_pool_test.cpp"), std::string::npos) << place;
    }
}

TEST(ProcessPool, CancelTakesBackWhatWaitsBehindARunningTask) {
    process_pool pool(1);
    const future<void> first = pool.submit([](std::stop_token stop) {
        while (!stop.stop_requested()) sched_yield();
    });
    while (!first.running()) sched_yield();
    std::vector<future<void>> rest;
    for (int i = 0; i < 5; ++i) rest.push_back(pool.submit([] { _exit(1); }));
    EXPECT_EQ(pool.pending_count(), 5u);
    for (const auto& f : rest) EXPECT_TRUE(f.cancel());
    EXPECT_EQ(pool.pending_count(), 0u);
    EXPECT_FALSE(first.cancel());
    first.request_stop();
    first.result();
    EXPECT_EQ(pool.submit(add, 1, 2).result(), 3);
}

TEST(ProcessPool, GivesAnIdleWorkerWhatWaitsBehindALongTask) {
    process_pool pool(2);
    pool.map(add, std::vector{1, 2}, std::vector{3, 4}).collect();
    const future<void> blocked = pool.submit([](std::stop_token stop) {
        while (!stop.stop_requested()) sched_yield();
    });
    for (int i = 0; i < 40; ++i) EXPECT_EQ(pool.submit(add, i, 1).result(), i + 1);
    std::vector<future<int>> burst;
    for (int i = 0; i < 40; ++i) burst.push_back(pool.submit(add, i, 1));
    for (const auto& f : burst) f.result(); // none of them is stuck behind `blocked`
    blocked.request_stop();
}

TEST(ProcessPool, KillAndTerminateBreakWhatRunsAndWhatIsQueued) {
    for (const bool gently : {true, false}) {
        heddle::test::ledger book;
        process_pool pool(1);
        const future<void> running = book.track(pool.submit(wait_for_ever));
        while (!running.running()) sched_yield();
        for (int i = 0; i < 10; ++i) book.track(pool.submit(add, i, i));
        if (gently) pool.terminate();
        else pool.kill();
        EXPECT_EQ(book.broken(), 11u);
        EXPECT_THROW((void)pool.submit(add, 1, 2), heddle::shutdown_error);
    }
}

TEST(ProcessPool, ShutdownCancelsWhatHasNotStartedOnRequest) {
    heddle::test::ledger book;
    process_pool pool(1);
    const future<void> running = book.track(pool.submit([](std::stop_token stop) {
        while (!stop.stop_requested()) sched_yield();
    }));
    while (!running.running()) sched_yield();
    for (int i = 0; i < 10; ++i) book.track(pool.submit(add, i, i));
    pool.shutdown({.wait = false, .cancel_pending = true});
    running.request_stop();
    pool.shutdown();
    EXPECT_EQ(book.cancelled(), 10u);
    EXPECT_EQ(book.values(), 1u);
}

// --- nothing left behind ------------------------------------------------------------------------

TEST(ProcessPool, LeavesNoDescriptorAndNoZombie) {
    {
        process_pool(1).submit(add, 1, 2).result();
    }
    const int before = descriptors_open();
    for (int i = 0; i < 50; ++i) {
        process_pool pool(1);
        if (i % 3 == 0)
            EXPECT_THROW(pool.submit(die_of, SIGKILL).result(), broken_process_pool_error);
        else if (i % 3 == 1) // travels in memory that is kept for the next one
            EXPECT_EQ(pool.submit(twice<std::string>, std::string(300'000, 'x')).result().size(),
                      600'000u);
        else EXPECT_EQ(pool.submit(add, i, 1).result(), i + 1);
    }
    EXPECT_EQ(descriptors_open(), before);
    siginfo_t info{};
    EXPECT_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    EXPECT_EQ(errno, ECHILD);
}

/// Runs in a worker: has a busy worker of its own, tells its id through `pipe`, and dies.
void fall_with_a_pool(const std::string& pipe) {
    process_pool inner(1);
    const int id = inner.submit(own_id).result();
    const future<void> busy = inner.submit(wait_for_ever);
    while (!busy.running()) sched_yield();
    const int out = open(pipe.c_str(), O_WRONLY);
    if (write(out, &id, sizeof id) != static_cast<ssize_t>(sizeof id)) _exit(1);
    raise(SIGKILL);
}

TEST(ProcessPool, WorkersDieWithTheirParent) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(ends[1]);
    process_pool outer(1);
    EXPECT_THROW(outer.submit(fall_with_a_pool, path).result(), broken_process_pool_error);
    close(ends[1]);
    int worker = 0;
    ASSERT_EQ(read(ends[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
    close(ends[0]);
    const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, worker, 0));
    if (pidfd < 0) return; // gone already
    pollfd gone{pidfd, POLLIN, 0};
    EXPECT_EQ(poll(&gone, 1, 2000), 1);
    close(pidfd);
}

} // namespace
