/// The watchdog names who keeps the loop. Time is set by hand, by the task that "blocks".
#include "support/lost_failures.hpp"

#include <heddle/aio.hpp>
#include <heddle/detail/test_clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::detail::test_clock;
using heddle::test::lost_failures;

namespace {

aio::task<> blocks_for(test_clock& clock, heddle::duration d) {
    clock.advance(d);
    co_return;
}
aio::task<> blocks_and_yields(test_clock& clock, heddle::duration d) {
    co_await aio::sleep_for(0s);
    co_await blocks_for(clock, d);
    co_await aio::sleep_for(0s);
}

TEST(AioWatchdog, NamesWhoKeepsTheLoop) {
    test_clock clock;
    lost_failures lost;
    aio::run(blocks_and_yields(clock, 150ms), {.watchdog = 100ms});
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_NE(lost.at(0).task_name.find("blocks_and_yields("), std::string::npos)
        << lost.at(0).task_name;
    EXPECT_NE(lost.text(0).find("kept its loop for 150 ms"), std::string::npos) << lost.text(0);
    EXPECT_NE(lost.text(0).find("the limit is 100 ms"), std::string::npos) << lost.text(0);
}

TEST(AioWatchdog, NamesWhoEndsToo) {
    test_clock clock;
    lost_failures lost;
    aio::run(blocks_for(clock, 2s), {.watchdog = 1s});
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_NE(lost.at(0).task_name.find("blocks_for("), std::string::npos);
    EXPECT_NE(lost.text(0).find("until it ended"), std::string::npos) << lost.text(0);
}

TEST(AioWatchdog, IsQuietBelowTheLimitAndWhenOff) {
    test_clock clock;
    lost_failures lost;
    aio::run(blocks_and_yields(clock, 100ms), {.watchdog = 100ms});
    aio::run(blocks_and_yields(clock, 1h), {.watchdog = 0ms});
    EXPECT_EQ(lost.count(), 0u);
}

} // namespace
