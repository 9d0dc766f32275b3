/// How long a thread spins before it sleeps.
#include "../../src/core/spinning.hpp"

#include <heddle/detail/test_clock.hpp>

#include <gtest/gtest.h>

#include <chrono>

using heddle::detail::spin_habit;
using heddle::detail::spin_limit;

namespace {

TEST(SpinLimit, IsReachedByTheClockAndNotByACount) {
    const auto before = std::chrono::steady_clock::now();
    const std::chrono::microseconds longest(200);
    spin_limit limit(longest);
    while (!limit.reached()) {
    }
    EXPECT_GE(std::chrono::steady_clock::now() - before, longest);
}

TEST(SpinLimit, ReadsTheClockOnlyAfterSomePauses) {
    spin_limit limit(std::chrono::microseconds(0));
    int looks = 1;
    while (!limit.reached()) ++looks;
    EXPECT_EQ(looks, 16);
    spin_limit far_between(std::chrono::microseconds(0));
    EXPECT_FALSE(far_between.reached(15));
    EXPECT_TRUE(far_between.reached(64));
}

TEST(SpinLimit, GoesByRealTimeWhereTheClockIsSetByHand) {
    const heddle::detail::test_clock stopped;
    spin_limit limit(std::chrono::microseconds(1));
    while (!limit.reached()) {
    }
}

TEST(SpinHabit, SpinsSeldomAfterFourMissesAndAlwaysAfterAHit) {
    spin_habit habit;
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(habit.worthwhile()) << i;
        habit.note(false);
    }
    int tried = 0;
    for (int i = 0; i < 160; ++i) tried += habit.worthwhile();
    EXPECT_EQ(tried, 10);
    habit.note(true);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(habit.worthwhile()) << i;
}

} // namespace
