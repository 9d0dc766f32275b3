/// A clock that tests set by hand, so that no test sleeps and none depends on the machine's speed.
#pragma once

#include <heddle/time.hpp>

#include <cstddef>

namespace heddle::detail {

/// While one exists, every timed wait of Heddle in this process runs on it instead of the steady
/// clock: it stands still until `advance`.
///
/// Example:
///     test_clock clock;
///     std::thread waiter([&] { EXPECT_FALSE(f.wait_for(1s)); });
///     clock.wait_for_sleepers(1);   // the waiter has gone to sleep
///     clock.advance(1s);            // its second has passed
///     waiter.join();
///
/// Thread safety: all members may be called from any thread. Lifetime: at most one at a time,
/// created before and destroyed after every timed wait of the test.
class test_clock {
public:
    test_clock();
    ~test_clock();
    test_clock(const test_clock&) = delete;
    test_clock& operator=(const test_clock&) = delete;

    /// Moves time forward and wakes every sleeper whose deadline has come.
    void advance(duration d);
    /// Blocks until at least `count` threads sleep with a deadline on this clock.
    void wait_for_sleepers(std::size_t count);
    /// Moves to the earliest deadline of a sleeper, after waiting for at least `count` sleepers.
    void advance_to_next(std::size_t count = 1);
};

} // namespace heddle::detail
