/// The main of every test program.
#include "support/watchdog.hpp"

#include <heddle/detail/mp_init.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

#ifdef __SANITIZE_THREAD__
// TSan does not see the reference count of exceptions, which is inside libstdc++.
extern "C" const char* __tsan_default_suppressions() {
    return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif

int main(int argc, char** argv) {
    // For the workers of process pools: TSan lets every process sleep for a second at its end.
    setenv("TSAN_OPTIONS", "atexit_sleep_ms=0", 0);
    heddle::mp::init(argc, argv); // in a worker of a process pool, this does not return
    testing::InitGoogleTest(&argc, argv);
    // A death test in a program with threads must start afresh, not go on in a forked child.
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    // Order must not matter: each run shows the seed that repeats it.
    testing::FLAGS_gtest_shuffle = true;
    heddle::test::start_watchdog();
    return RUN_ALL_TESTS();
}
