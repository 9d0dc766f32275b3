/// What every executor's map, map_unordered and starmap do.
#include "../../src/core/place.hpp"
#include "executors.hpp"
#include "support/lost_failures.hpp"

#include <heddle/detail/test_clock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <list>
#include <numeric>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using heddle::map_options;
using heddle::test::blockade;

namespace {

std::vector<int> first_integers(int n) {
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

int square(int i) {
    return i * i;
}

/// A type that can be moved and nothing else.
class stern {
public:
    explicit stern(int n) : n_(n) {}
    stern(stern&&) = default;
    stern& operator=(stern&&) = delete;
    int get() const { return n_; }

private:
    const int n_;
};

// --- what works across processes too ------------------------------------------------------------

template <class Kind>
class Map : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(Map, heddle::test::all_executors);

TYPED_TEST(Map, GivesResultsInInputOrder) {
    const auto inputs = first_integers(1000);
    for (const std::size_t chunk : {0u, 1u, 3u, 1000u, 5000u}) {
        int next = 0;
        for (int got : this->pool().map({.chunk_size = chunk}, square, inputs)) {
            EXPECT_EQ(got, next * next);
            ++next;
        }
        EXPECT_EQ(next, 1000);
    }
}

TYPED_TEST(Map, StopsWithTheShortestRange) {
    const std::vector<int> a{1, 2, 3};
    const std::list<int> b{10, 20};
    const auto sums =
        this->pool()
            .map([](int x, int y, int z) { return x + y + z; }, a, b, std::views::iota(100))
            .collect();
    EXPECT_EQ(sums, (std::vector{111, 123}));
}

TYPED_TEST(Map, OfNothingIsEmpty) {
    auto results = this->pool().map(square, std::vector<int>());
    EXPECT_TRUE(results.begin() == results.end());
    EXPECT_TRUE(results.collect().empty());
    EXPECT_TRUE(this->pool().map_unordered(square, std::vector<int>()).collect().empty());
}

TYPED_TEST(Map, GivesMoveOnlyResults) {
    for (const std::size_t chunk : {1u, 3u}) {
        auto boxes = this->pool()
                         .map(
                             {.chunk_size = chunk},
                             [](int i) { return std::make_unique<int>(i); },
                             first_integers(7))
                         .collect();
        EXPECT_EQ(*boxes.at(6), 6);
    }
}

TYPED_TEST(Map, TakesMoveOnlyInputs) {
    std::vector<std::unique_ptr<int>> inputs;
    for (int i = 0; i < 5; ++i) inputs.push_back(std::make_unique<int>(i));
    // Single-pass, so each input is moved into its task.
    auto each = std::views::iota(0, 5) | std::views::transform([&](int i) {
                    return std::move(inputs[static_cast<std::size_t>(i)]);
                });
    const auto out = this->pool().map([](std::unique_ptr<int> p) { return *p; }, each).collect();
    EXPECT_EQ(out, first_integers(5));
}

TYPED_TEST(Map, TakesSinglePassRanges) {
    for (const std::size_t chunk : {1u, 2u}) {
        std::istringstream in("1 2 3 4 5");
        const auto out =
            this->pool()
                .map({.chunk_size = chunk, .buffer_size = 3}, square, std::views::istream<int>(in))
                .collect();
        EXPECT_EQ(out, (std::vector{1, 4, 9, 16, 25}));
    }
}

TYPED_TEST(Map, AnItemThatThrowsLeavesTheOthers) {
    for (const std::size_t chunk : {1u, 3u, 100u}) {
        auto results = this->pool().map(
            {.chunk_size = chunk},
            [](int i) {
                if (i % 2 == 1) throw std::out_of_range(std::to_string(i));
                return i;
            },
            first_integers(6));
        auto it = results.begin();
        for (int i = 0; i < 6; ++i, ++it) {
            ASSERT_TRUE(it != results.end());
            if (i % 2 == 0) {
                EXPECT_EQ(*it, i);
                EXPECT_EQ(*it, i);
            } else {
                EXPECT_THROW(*it, std::out_of_range);
                EXPECT_THROW(*it, std::out_of_range);
            }
        }
        EXPECT_TRUE(it == results.end());
    }
}

TYPED_TEST(Map, CollectRethrowsTheFirstFailure) {
    auto results = this->pool().map(
        [](int i) {
            if (i >= 3) throw std::out_of_range(std::to_string(i));
            return i;
        },
        first_integers(6));
    try {
        results.collect();
        FAIL();
    } catch (const std::out_of_range& e) {
        EXPECT_STREQ(e.what(), "3");
    }
}

TYPED_TEST(Map, UnorderedGivesEveryResultOnce) {
    for (const std::size_t chunk : {0u, 1u, 3u}) {
        for (const std::size_t buffer : {0u, 1u, 7u}) {
            auto out = this->pool()
                           .map_unordered({.chunk_size = chunk, .buffer_size = buffer},
                                          square,
                                          first_integers(100))
                           .collect();
            std::ranges::sort(out);
            for (int i = 0; i < 100; ++i) EXPECT_EQ(out.at(static_cast<std::size_t>(i)), i * i);
        }
    }
}

TYPED_TEST(Map, StarmapSpreadsTuples) {
    const std::vector<std::tuple<int, std::string>> inputs{{2, "ab"}, {1, "c"}};
    const auto repeat = [](int n, const std::string& s) {
        std::string out;
        for (int i = 0; i < n; ++i) out += s;
        return out;
    };
    EXPECT_EQ(this->pool().starmap(repeat, inputs).collect(),
              (std::vector<std::string>{"abab", "c"}));
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}};
    EXPECT_EQ(this->pool().starmap({.chunk_size = 2}, std::plus<>(), pairs).collect(),
              (std::vector{3, 7}));
    int (*const none)(int, int) = nullptr;
    EXPECT_THROW((void)this->pool().starmap(none, pairs), std::invalid_argument);
}

TYPED_TEST(Map, HandsOutAStopToken) {
    const auto inputs = first_integers(200);
    const auto twice = [](std::stop_token stop, int i) {
        return stop.stop_possible() ? 2 * i : -1;
    };
    const auto sum = [](const std::stop_token& stop, int i, int j) {
        return stop.stop_requested() ? -1 : i + j;
    };
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}, {5, 6}};
    for (const std::size_t chunk : {0u, 1u, 7u}) {
        int next = 0;
        for (int got : this->pool().map({.chunk_size = chunk}, twice, inputs)) {
            EXPECT_EQ(got, 2 * next++);
        }
        EXPECT_EQ(next, 200);
        int total = 0;
        for (int got : this->pool().map_unordered({.chunk_size = chunk}, sum, inputs, inputs)) {
            total += got;
        }
        EXPECT_EQ(total, 199 * 200);
        EXPECT_EQ(this->pool().starmap({.chunk_size = chunk}, sum, pairs).collect(),
                  (std::vector{3, 7, 11}));
    }
    // Nobody is handed a token who did not ask for one.
    EXPECT_EQ(this->pool().map([](auto... all) { return sizeof...(all); }, inputs).collect(),
              std::vector<std::size_t>(200, 1));
    EXPECT_EQ(this->pool().starmap([](auto... all) { return sizeof...(all); }, pairs).collect(),
              std::vector<std::size_t>(3, 2));
}

TYPED_TEST(Map, OfVoidRunsEverything) {
    this->pool().map([](int) {}, first_integers(10)).collect();
    for (const std::size_t chunk : {1u, 4u}) {
        auto results = this->pool().map(
            {.chunk_size = chunk},
            [](int i) {
                if (i == 1) throw std::out_of_range("1");
            },
            first_integers(3));
        auto it = results.begin();
        *it;
        ++it;
        EXPECT_THROW(*it, std::out_of_range);
        ++it;
        *it;
        ++it;
        EXPECT_TRUE(it == results.end());
    }
}

TYPED_TEST(Map, ProgressCountsItems) {
    for (const std::size_t chunk : {1u, 4u}) {
        std::vector<std::size_t> done;
        this->pool()
            .map({.chunk_size = chunk,
                  .progress =
                      [&](const heddle::progress_state& state) {
                          done.push_back(state.done);
                          EXPECT_EQ(state.total, 10u);
                      }},
                 square,
                 first_integers(10))
            .collect();
        EXPECT_EQ(done, (std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    }
}

// --- what needs the memory of the test ----------------------------------------------------------

template <class Kind>
class MapInProcess : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(MapInProcess, heddle::test::in_process_executors);

TYPED_TEST(MapInProcess, GivesResultsThatCanBeMovedAndNothingElse) {
    for (const std::size_t chunk : {1u, 3u}) {
        int sum = 0;
        for (stern& s : this->pool().map(
                 {.chunk_size = chunk}, [](int i) { return stern(i); }, first_integers(7))) {
            sum += s.get();
        }
        EXPECT_EQ(sum, 21);
    }
}

TYPED_TEST(MapInProcess, TakesExactlyAsMuchAsTheBufferHolds) {
    for (const int n : {1, 2, 7}) {
        for (const std::size_t chunk : {0u, 1u, 3u}) {
            int taken = 0;
            auto endless = std::views::iota(0) | std::views::transform([&](int i) {
                               taken = std::max(taken, i + 1);
                               return i;
                           });
            auto results = this->pool().map(
                {.chunk_size = chunk, .buffer_size = static_cast<std::size_t>(n)}, square, endless);
            EXPECT_LE(taken, n);
            if (chunk == 1) {
                EXPECT_EQ(taken, n);
            }
            auto it = results.begin();
            for (int i = 0; i < 30; ++i, ++it) {
                EXPECT_EQ(*it, i * i);
                EXPECT_LE(taken, i + 1 + n);
                if (chunk == 1) {
                    EXPECT_EQ(taken, i + 1 + n);
                }
            }
        }
    }
}

TYPED_TEST(MapInProcess, UnorderedTakesAtMostWhatTheBufferHolds) {
    int taken = 0;
    auto endless = std::views::iota(0) | std::views::transform([&](int i) {
                       taken = std::max(taken, i + 1);
                       return i;
                   });
    auto results = this->pool().map_unordered({.buffer_size = 3}, square, endless);
    auto it = results.begin();
    for (int i = 0; i < 30; ++i, ++it) {
        *it;
        EXPECT_LE(taken, i + 1 + 3);
    }
}

TYPED_TEST(MapInProcess, ARangeThatThrowsSurfacesAtItsPosition) {
    for (const std::size_t chunk : {1u, 3u}) {
        for (const std::size_t buffer : {0u, 1u, 7u}) {
            auto inputs = std::views::iota(0, 10) | std::views::transform([](int i) {
                              if (i == 4) throw std::range_error("input 4");
                              return i;
                          });
            auto results =
                this->pool().map({.chunk_size = chunk, .buffer_size = buffer}, square, inputs);
            auto it = results.begin();
            for (int i = 0; i < 4; ++i, ++it) EXPECT_EQ(*it, i * i);
            ASSERT_TRUE(it != results.end());
            EXPECT_THROW(*it, std::range_error);
            ++it;
            EXPECT_TRUE(it == results.end());
        }
    }
}

TYPED_TEST(MapInProcess, DroppedResultsCancelWhatHasNotStartedAndDoNotBlock) {
    std::atomic<int> ran{0};
    blockade hold(this->pool(), this->workers);
    {
        auto results = this->pool().map([&](int) { ++ran; }, first_integers(20));
    }
    EXPECT_EQ(this->pool().pending_count(), 0u);
    hold.open();
    this->destroy();
    EXPECT_EQ(ran, 0);
}

TYPED_TEST(MapInProcess, DroppedResultsAskWhatRunsToStop) {
    struct gates {
        std::latch running{1}, stopped{1};
        std::atomic<int> calls = 0;
    } of_one, of_three; // both outlive the pool's threads
    for (gates* const at : {&of_one, &of_three}) {
        const std::size_t chunk = at == &of_one ? 1 : 3;
        {
            auto results = this->pool().map(
                {.chunk_size = chunk, .buffer_size = chunk},
                [at](std::stop_token stop, int) {
                    ++at->calls;
                    const std::stop_callback on_stop(stop, [&] { at->stopped.count_down(); });
                    at->running.count_down();
                    at->stopped.wait();
                },
                first_integers(3));
            at->running.wait();
        }
        at->stopped.wait();
    }
    this->destroy();
    EXPECT_EQ(of_one.calls, 1);
    EXPECT_EQ(of_three.calls, 1);
}

TYPED_TEST(MapInProcess, DroppedResultsEndAChunkAfterTheItemThatRuns) {
    std::latch running(1), go(1);
    std::atomic<int> ran{0};
    {
        auto results = this->pool().map(
            {.chunk_size = 5},
            [&](int) {
                if (ran++ == 0) running.count_down();
                go.wait();
            },
            first_integers(5));
        running.wait();
    }
    go.count_down();
    this->destroy();
    EXPECT_EQ(ran, 1);
}

/// Of five items all but the first fail; the second is skipped, the last two are never asked for.
template <class Executor>
void leave_failures_unseen(Executor& pool,
                           std::size_t chunk_size,
                           const heddle::test::lost_failures& lost) {
    std::latch started(5); // what has not started when the results are dropped is cancelled
    auto results = pool.map(
        {.chunk_size = chunk_size},
        [&](int i) {
            started.count_down();
            if (i > 0) throw std::runtime_error(std::to_string(i));
            return i;
        },
        first_integers(5));
    auto it = results.begin();
    EXPECT_EQ(*it, 0);
    ++it;
    ++it; // 1 is skipped unseen
    EXPECT_EQ(lost.count(), 1u);
    EXPECT_THROW(*it, std::runtime_error);
    started.wait();
}

/// All are reported, as failures of what this file called, and not of what is behind `map`.
void expect_failures_of_this_file(std::size_t count, const heddle::test::lost_failures& lost) {
    EXPECT_EQ(lost.count(), count);
    for (std::size_t i = 0; i < lost.count(); ++i) {
        const std::string place = heddle::detail::describe_code(lost.at(i).address);
        EXPECT_NE(place.find("map_test.cpp"), std::string::npos) << place;
        EXPECT_EQ(place.find("map_engine"), std::string::npos) << place;
    }
}

TYPED_TEST(MapInProcess, FailuresThatNobodySawAreReported) {
    heddle::test::lost_failures lost;
    leave_failures_unseen(this->pool(), 1, lost);
    this->destroy();
    expect_failures_of_this_file(3, lost);
}

TYPED_TEST(MapInProcess, FailuresInAChunkThatNobodySawAreReported) {
    heddle::test::lost_failures lost;
    leave_failures_unseen(this->pool(), 5, lost);
    this->destroy();
    expect_failures_of_this_file(3, lost);
}

TYPED_TEST(MapInProcess, TheTimeLimitCountsFromTheCall) {
    heddle::detail::test_clock clock;
    std::latch go(1);
    const auto f = [&](int i) {
        if (i == 1) go.wait();
        return i;
    };
    auto results = this->pool().map({.timeout = 5s}, f, first_integers(2));
    auto it = results.begin();
    EXPECT_EQ(*it, 0);
    ++it;
    std::thread waiter([&] { EXPECT_THROW(*it, heddle::timeout_error); });
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    waiter.join();
    EXPECT_THROW(*it, heddle::timeout_error);
    go.count_down();
    this->destroy();
    EXPECT_EQ(*it, 1); // what is there is given, also late
}

TYPED_TEST(MapInProcess, GivesReferences) {
    std::vector<int> values{1, 2, 3};
    for (const std::size_t chunk : {1u, 2u}) {
        for (int& v :
             this->pool().map({.chunk_size = chunk}, [](int& x) -> int& { return x; }, values)) {
            v *= 10;
        }
    }
    EXPECT_EQ(values, (std::vector{100, 200, 300}));
    auto refs = this->pool().map([](int& x) -> int& { return x; }, values).collect();
    EXPECT_EQ(&refs[1].get(), &values[1]);
}

TYPED_TEST(MapInProcess, UnorderedGivesWhatIsDoneFirst) {
    if (this->workers < 2) GTEST_SKIP() << "needs two workers";
    std::latch go(1);
    auto results = this->pool().map_unordered(
        [&](int i) {
            if (i == 0) go.wait();
            return i;
        },
        first_integers(3));
    auto it = results.begin();
    const int first = *it;
    ++it;
    const int second = *it;
    ++it;
    EXPECT_EQ(std::set({first, second}), (std::set{1, 2}));
    go.count_down();
    EXPECT_EQ(*it, 0);
}

TYPED_TEST(MapInProcess, AShutdownInTheMiddleEndsTheRange) {
    auto results = this->pool().map({.buffer_size = 2}, square, std::views::iota(0));
    auto it = results.begin();
    EXPECT_EQ(*it, 0);
    this->pool().shutdown();
    int seen = 0;
    for (++it; it != results.end(); ++it) {
        try {
            *it;
            ++seen;
        } catch (const heddle::shutdown_error&) {
        }
    }
    EXPECT_LE(seen, 2);
}

} // namespace
