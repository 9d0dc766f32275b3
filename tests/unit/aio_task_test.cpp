#include "support/lost_failures.hpp"
#include "support/virtual_loop.hpp"

#include <heddle/aio.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
using heddle::test::lost_failures;
using heddle::test::now;
using heddle::test::run_virtually;

namespace {

aio::task<int> value(int x) {
    co_return x;
}
aio::task<> fail(const char* text) {
    co_await aio::sleep_for(0s);
    throw std::runtime_error(text);
}
aio::task<std::unique_ptr<int>> boxed(int x) {
    co_return std::make_unique<int>(x);
}
aio::task<int&> same(int& x) {
    co_return x;
}
aio::task<int> down(int levels) {
    if (levels == 0) {
        co_await aio::sleep_for(1ms);
        co_return 0;
    }
    const int below = co_await down(levels - 1);
    co_return below + 1;
}
aio::task<int> never() {
    co_await aio::sleep_for(std::chrono::hours::max());
    co_return 0;
}

TEST(AioTask, GivesItsValueOrItsException) {
    EXPECT_EQ(aio::run(value(7)), 7);
    EXPECT_EQ(*aio::run(boxed(8)), 8);
    int x = 0;
    EXPECT_EQ(&aio::run(same(x)), &x);
    EXPECT_THROW(aio::run(fail("no")), std::runtime_error);
}

TEST(AioTask, RunsNothingUntilItIsAwaited) {
    static int ran = 0;
    struct code {
        static aio::task<> count() {
            ++ran;
            co_return;
        }
        static aio::task<> main() {
            aio::task<> first = count();
            EXPECT_EQ(ran, 0);
            co_await std::move(first);
            EXPECT_EQ(ran, 1);
        }
    };
    ran = 0;
    aio::run(code::main());
}

TEST(AioTask, CanBeAwaitedOnce) {
    struct code {
        static aio::task<> main() {
            aio::task<int> t = value(1);
            EXPECT_EQ(co_await t, 1);
            EXPECT_THROW(co_await t, heddle::invalid_state_error);
            aio::task<int> gone = value(2);
            EXPECT_EQ(co_await std::move(gone), 2);
        }
    };
    aio::run(code::main());
}

TEST(AioTask, NeverAwaitedIsReportedWithItsName) {
    lost_failures lost;
    {
        aio::task<int> forgotten = value(1);
    }
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_NE(lost.text(0).find("never awaited"), std::string::npos) << lost.text(0);
    EXPECT_NE(lost.at(0).task_name, "");
}

TEST(AioTask, NamesOfCoroutinesAreThoseOfTheSource) {
    lost_failures lost;
    {
        const auto lambda = []() -> aio::task<> { co_return; };
        aio::task<> forgotten = lambda();
    }
    ASSERT_EQ(lost.count(), 1u);
    const std::string& name = lost.at(0).task_name;
    EXPECT_EQ(name.find("::_Z"), std::string::npos) << name;
    EXPECT_EQ(name.find(".Frame*"), std::string::npos) << name;
    EXPECT_EQ(name.find("[clone"), std::string::npos) << name;
    EXPECT_NE(name.find("NamesOfCoroutines"), std::string::npos) << name;
}

TEST(AioTask, LoopsAndRecursionNeedNoStack) {
    struct code {
        static aio::task<long> many() {
            long sum = 0;
            for (int i = 0; i < 1'000'000; ++i) {
                const int one = co_await value(1);
                sum += one;
            }
            co_return sum;
        }
        static aio::task<> yields() {
            for (int i = 0; i < 100'000; ++i) co_await aio::sleep_for(0s);
        }
    };
    EXPECT_EQ(aio::run(code::many()), 1'000'000);
    EXPECT_EQ(run_virtually(down(50'000)), 50'000);
    aio::run(code::yields());
}

aio::task<> note_after(std::vector<int>& order, int ms) {
    const auto start = now();
    co_await aio::sleep_for(ms * 1ms);
    EXPECT_EQ(now() - start, ms * 1ms);
    order.push_back(ms);
}

TEST(AioLoop, SleepsInTheOrderOfDeadlines) {
    std::vector<int> order;
    std::vector<aio::task<>> sleepers;
    for (int ms : {5, 1, 4, 4, 2, 3}) sleepers.push_back(note_after(order, ms));
    run_virtually(aio::gather(std::move(sleepers)));
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 4, 5}));
}

aio::task<> append_after(std::vector<int>& order, int ms) {
    co_await aio::sleep_for(ms * 1ms);
    order.push_back(ms);
}

TEST(AioLoop, LateSleepersWakeOnceEachInOrderAfterALongStop) {
    heddle::detail::test_clock clock;
    std::vector<int> order;
    std::thread loop([&] {
        std::vector<aio::task<>> sleepers;
        for (int ms : {3, 1, 2}) sleepers.push_back(append_after(order, ms));
        aio::run(aio::gather(std::move(sleepers)));
    });
    clock.wait_for_sleepers(1);
    clock.advance(10s); // the process was stopped, or the machine slept
    loop.join();
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(AioLoop, CannotRunInsideALoop) {
    struct code {
        static aio::task<> main() {
            EXPECT_THROW(aio::run(value(1)), heddle::invalid_state_error);
            co_return;
        }
    };
    aio::run(code::main());
    EXPECT_THROW((void)aio::spawn(value(1)), heddle::invalid_state_error);
}

aio::task<> mark_end(int& ended) {
    struct marker {
        int& ended;
        ~marker() { ++ended; }
    } const guard{ended};
    co_await never();
}

TEST(AioLoop, CancelsAndAwaitsWhatIsLeft) {
    struct code {
        static aio::task<> main(int& ended) {
            for (int i = 0; i < 1000; ++i) (void)aio::spawn(mark_end(ended));
            co_await aio::sleep_for(1s);
        }
    };
    lost_failures lost;
    int ended = 0;
    run_virtually(code::main(ended));
    EXPECT_EQ(ended, 1000);
    EXPECT_EQ(lost.count(), 0u);
}

TEST(AioLoop, CtrlCCancelsTheMainTask) {
    struct code {
        static aio::task<> main(int& ended) {
            (void)aio::spawn(mark_end(ended));
            co_await aio::sleep_for(0s);
            std::raise(SIGINT);
            co_await never();
        }
    };
    int ended = 0;
    EXPECT_THROW(aio::run(code::main(ended)), heddle::cancelled_error);
    EXPECT_EQ(ended, 1);
    struct sigaction after{};
    sigaction(SIGINT, nullptr, &after);
    EXPECT_EQ(after.sa_handler, SIG_DFL);
}

TEST(AioLoop, DumpsWhoAwaitsWhom) {
    struct code {
        static aio::task<std::string> main() {
            heddle::aio::handle<int> h = aio::spawn(never());
            co_await aio::sleep_for(0s);
            std::ostringstream out;
            aio::dump_tasks(out);
            h.cancel();
            co_return out.str();
        }
    };
    const std::string text = aio::run(code::main());
    EXPECT_NE(text.find("is running"), std::string::npos) << text;
    EXPECT_NE(text.find("awaits sleep_for"), std::string::npos) << text;
}

} // namespace
