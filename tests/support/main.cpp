/// The main of every test program.
#include "support/watchdog.hpp"

#include <heddle/detail/mp_init.hpp>

#include <gtest/gtest.h>

int main(int argc, char** argv) {
    heddle::mp::init(argc, argv); // in a worker of a process pool, this does not return
    testing::InitGoogleTest(&argc, argv);
    // A death test in a program with threads must start afresh, not go on in a forked child.
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    // Order must not matter: each run shows the seed that repeats it.
    testing::FLAGS_gtest_shuffle = true;
    heddle::test::start_watchdog();
    return RUN_ALL_TESTS();
}
