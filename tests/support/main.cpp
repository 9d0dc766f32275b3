/// The main of every test program.
#include "support/watchdog.hpp"

#include <heddle/detail/mp_init.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#ifdef __SANITIZE_THREAD__
// A false report: the free of an exception by the last who refers to it, beside a look at it by
// another who let go before. The reference count orders the two, but it is decremented inside
// libstdc++.so, which is not compiled for TSan; only the free there is seen. That a correct program
// without Heddle gets it too is shown, and tested, by false_race/exception_release.cpp. It cannot
// be said more narrowly: the topmost frames are `free`, `operator delete`, or the destructor of
// whatever was thrown, and _M_release is all that they have in common.
extern "C" const char* __tsan_default_suppressions() {
    return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif

int main(int argc, char** argv) {
    // For the workers of process pools: TSan lets every process sleep for a second at its end.
    setenv("TSAN_OPTIONS", "atexit_sleep_ms=0", 0);
    heddle::mp::init(argc, argv); // in a worker of a process pool, this does not return
    // A program that a shell starts in the background ignores it; some tests send it to themselves.
    std::signal(SIGINT, SIG_DFL);
    testing::InitGoogleTest(&argc, argv);
    // A death test in a program with threads must start afresh, not go on in a forked child.
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    // Order must not matter: each run shows the seed that repeats it.
    testing::FLAGS_gtest_shuffle = true;
    heddle::test::start_watchdog();
    return RUN_ALL_TESTS();
}
