/// A crash names the task that it hit (F15, F16).
#include <heddle/failure.hpp>
#include <heddle/thread.hpp>
#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace {

bool ended_badly(int status) {
    return status != 0; // by the signal; under a sanitizer by its exit after its own report
}

/// Needs more stack than there is.
int overflow(int depth) {
    volatile char page[4096];
    page[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : overflow(depth + 1) + page[0];
}

TEST(CrashDeathTest, NamesTheTaskAndWhereItWasSubmitted) {
    EXPECT_EXIT(
        {
            heddle::note_crashes();
            heddle::thread_pool pool(2);
            pool.submit({.name = "resize"}, [] { raise(SIGSEGV); }).wait();
        },
        ended_badly,
        "heddle: SIGSEGV in the task \"resize\" submitted at .*crash_test.cpp:[0-9]+");
}

TEST(CrashDeathTest, NamesTheSubmitCallOfATaskWithoutOptions) {
    EXPECT_EXIT(
        {
            heddle::note_crashes();
            heddle::thread_pool pool(2);
            pool.submit([] { std::abort(); }).wait();
        },
        ended_badly,
        "heddle: SIGABRT in a task submitted at .*heddle_faults\\+0x[0-9a-f]+");
}

TEST(CrashDeathTest, SaysWhenNoTaskWasRunning) {
    EXPECT_EXIT(
        {
            heddle::note_crashes();
            heddle::note_crashes();
            raise(SIGFPE);
        },
        ended_badly,
        "heddle: SIGFPE outside of any task");
}

TEST(CrashDeathTest, NotesAStackOverflowOfAWorker) {
    EXPECT_EXIT(
        {
            heddle::note_crashes();
            heddle::thread_pool pool(1);
            pool.submit({.name = "deep"}, overflow, 0).wait();
        },
        ended_badly,
        "heddle: SIG(SEGV|BUS) in the task \"deep\"");
}

TEST(CrashDeathTest, NotesAStackOverflowOfAThread) {
    EXPECT_EXIT(
        {
            heddle::note_crashes();
            heddle::thread<int> t({.name = "digger"}, overflow, 0);
            t.join();
        },
        ended_badly,
        "heddle: SIG(SEGV|BUS) in ");
}

TEST(CrashDeathTest, TheHandlerBeforeStillRuns) {
    EXPECT_EXIT(
        {
            signal(SIGSEGV, [](int) { _exit(7); });
            heddle::note_crashes();
            raise(SIGSEGV);
        },
        testing::ExitedWithCode(7),
        "heddle: SIGSEGV outside of any task");
}

} // namespace
