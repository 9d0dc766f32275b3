#include <heddle/detail/test_clock.hpp>
#include <heddle/functional.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;
using heddle::retry;
using heddle::detail::test_clock;

namespace {

/// Fails the first `failures` times; remembers on the test clock when it was called.
struct flaky {
    int failures;
    std::vector<std::int64_t>* calls;
    int operator()(int value) const {
        calls->push_back(heddle::detail::now_ns());
        if (static_cast<int>(calls->size()) <= failures) {
            throw std::runtime_error("failure " + std::to_string(calls->size()));
        }
        return value;
    }
};

/// Runs `f` in a thread and lets each of its sleeps, `sleeps` in all, pass at once.
template <class F>
void run(test_clock& clock, int sleeps, F f) {
    std::thread runner(f);
    for (int i = 0; i < sleeps; ++i) clock.advance_to_next();
    runner.join();
}

std::vector<heddle::duration> pauses(const std::vector<std::int64_t>& calls) {
    std::vector<heddle::duration> all;
    for (std::size_t i = 1; i < calls.size(); ++i) all.emplace_back(calls[i] - calls[i - 1]);
    return all;
}

TEST(Retry, ReturnsWhatTheFirstSuccessReturns) {
    test_clock clock;
    std::vector<std::int64_t> calls;
    run(clock, 2, [&] { EXPECT_EQ(retry({.backoff = 100ms}, flaky{2, &calls})(5), 5); });
    EXPECT_EQ(pauses(calls), (std::vector<heddle::duration>{100ms, 200ms}));
}

TEST(Retry, RethrowsTheLastFailure) {
    test_clock clock;
    std::vector<std::int64_t> calls;
    run(clock, 2, [&] {
        try {
            retry({.attempts = 3}, flaky{99, &calls})(0);
            FAIL() << "returned";
        } catch (const std::runtime_error& e) {
            EXPECT_STREQ(e.what(), "failure 3");
        }
    });
    EXPECT_EQ(calls.size(), 3u);
}

TEST(Retry, DoublesItsPausesUpToTheGreatest) {
    test_clock clock;
    std::vector<std::int64_t> calls;
    run(clock, 4, [&] {
        retry({.attempts = 5, .backoff = 1s, .max_backoff = 3s}, flaky{4, &calls})(0);
    });
    EXPECT_EQ(pauses(calls), (std::vector<heddle::duration>{1s, 2s, 3s, 3s}));
}

TEST(Retry, NeverSleepsPastItsDeadline) {
    test_clock clock;
    std::vector<std::int64_t> calls;
    run(clock, 2, [&] { // at 0 s, 1 s, 3 s; the next would be at 7 s
        EXPECT_THROW(retry({.attempts = 9, .backoff = 1s, .deadline = 5s}, flaky{99, &calls})(0),
                     std::runtime_error);
    });
    EXPECT_EQ(calls.size(), 3u);
}

TEST(Retry, TriesOnceForADeadlineOfZeroOrLess) {
    std::vector<std::int64_t> calls;
    EXPECT_THROW(retry({.deadline = 0s}, flaky{99, &calls})(0), std::runtime_error);
    EXPECT_THROW(retry({.deadline = -1s}, flaky{99, &calls})(0), std::runtime_error);
    EXPECT_EQ(calls.size(), 2u);
}

TEST(Retry, DoesNotSleepForABackoffOfZero) {
    test_clock clock; // stands still, so a sleep would hang
    std::vector<std::int64_t> calls;
    EXPECT_EQ(retry({.attempts = 50, .backoff = 0s}, flaky{49, &calls})(1), 1);
    EXPECT_EQ(calls.size(), 50u);
}

TEST(Retry, JitterOnlyShortensPauses) {
    test_clock clock;
    std::vector<std::int64_t> calls;
    run(clock, 20, [&] {
        retry({.attempts = 21, .backoff = 1s, .max_backoff = 1s, .jitter = 0.5},
              flaky{20, &calls})(0);
    });
    for (const auto pause : pauses(calls)) {
        EXPECT_GE(pause, 500ms);
        EXPECT_LE(pause, 1s);
    }
    EXPECT_NE(pauses(calls).front(), pauses(calls).back());
}

TEST(Retry, OfNothingIsRefused) {
    EXPECT_THROW((void)heddle::retry({}, std::function<void()>()), std::invalid_argument);
}

TEST(Retry, RejectsBadOptionsNamingTheValue) {
    const auto text = [](heddle::retry_options options) -> std::string {
        try {
            retry(options, [] {});
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "accepted";
    };
    EXPECT_NE(text({.attempts = 0}).find("attempts is 0"), std::string::npos);
    EXPECT_NE(text({.backoff = -1ns}).find("backoff is -1"), std::string::npos);
    EXPECT_NE(text({.max_backoff = -1s}).find("max_backoff"), std::string::npos);
    EXPECT_NE(text({.jitter = -0.1}).find("jitter"), std::string::npos);
    EXPECT_NE(text({.jitter = 1.5}).find("1.5"), std::string::npos);
    EXPECT_NE(text({.jitter = std::numeric_limits<double>::quiet_NaN()}).find("jitter"),
              std::string::npos);
    EXPECT_EQ(text({}), "accepted");
}

TEST(Retry, TakesTheLongestDurations) {
    std::vector<std::int64_t> calls;
    test_clock clock;
    run(clock, 1, [&] {
        retry({.backoff = heddle::duration::max() / 4,
               .max_backoff = heddle::duration::max(),
               .deadline = heddle::duration::max()},
              flaky{1, &calls})(0);
    });
    EXPECT_EQ(calls.size(), 2u);
}

TEST(Retry, DoesNotRepeatACancelledCall) {
    int calls = 0;
    auto f = retry({.attempts = 5}, [&] {
        ++calls;
        throw heddle::cancelled_error();
    });
    EXPECT_THROW(f(), heddle::cancelled_error);
    EXPECT_EQ(calls, 1);
}

TEST(Retry, ComposesWithPartialAndGivesReferences) {
    int x = 1;
    auto f = retry({}, heddle::partial([](int&, int& r) -> int& { return r; }, std::ref(x)));
    static_assert(std::is_same_v<decltype(f(x)), int&>);
    EXPECT_EQ(&f(x), &x);
    const auto g = heddle::partial(retry({}, [](int a, int b) { return a + b; }), 1);
    EXPECT_EQ(g(2), 3);
}

} // namespace
