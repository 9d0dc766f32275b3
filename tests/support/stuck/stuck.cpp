/// A test that never ends, for the test of the watchdog.
#include <gtest/gtest.h>

#include <semaphore>
#include <thread>

[[gnu::noinline]] void wait_in_vain() {
    std::binary_semaphore never(0);
    never.acquire();
    never.release(); // not reached; keeps the call above from being the last one
}

TEST(Stuck, WaitsForever) {
    std::thread other(wait_in_vain);
    other.join();
}
