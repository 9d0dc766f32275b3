/// Waiting inside tasks: it never hangs, and what can never end is refused.
#include "executors.hpp"

#include <heddle/detail/test_clock.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <numeric>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using heddle::future;
using heddle::promise;
using heddle::return_when;
using heddle::thread_pool;
using heddle::would_deadlock_error;

namespace {

template <class Kind>
class Nested : public heddle::test::executor_test<Kind> {};
TYPED_TEST_SUITE(Nested, heddle::test::in_process_executors);

TYPED_TEST(Nested, ATaskWaitsForItsPendingChild) {
    future<int> f = this->submit([this] {
        future<int> child = this->submit([] { return 1; });
        return child.result() + this->pool().submit([] { return 2; }).result();
    });
    EXPECT_EQ(f.result(), 3);
}

TYPED_TEST(Nested, ATaskWaitsForATaskThatWasThereBefore) {
    std::latch go(1);
    future<int> before;
    future<int> f = this->submit([&] {
        go.wait();
        return before.result() + 1;
    });
    before = this->submit([] { return 1; });
    go.count_down();
    EXPECT_EQ(f.result(), 2);
}

TYPED_TEST(Nested, ATaskWaitsForATaskThatRunsElsewhere) {
    std::latch running(1), go(1);
    future<int> elsewhere;
    std::jthread starter;
    thread_pool other(1);
    elsewhere = this->book().track(other.submit([&] {
        running.count_down();
        go.wait();
        return 5;
    }));
    running.wait();
    future<int> f = this->submit([&] { return elsewhere.result(); });
    future<void> opens = this->submit([&] { go.count_down(); }); // needs a stand-in with 1 worker
    EXPECT_EQ(f.result(), 5);
    opens.result();
}

TYPED_TEST(Nested, ATaskWaitsForAPromiseThatAPostedChildSets) {
    future<int> f = this->submit([this] {
        promise<int> p;
        future<int> set = p.get_future();
        this->pool().post([&p] { p.set_value(9); });
        return set.result();
    });
    EXPECT_EQ(f.result(), 9);
}

TYPED_TEST(Nested, WaitAsCompletedResultsAndMapWorkInsideATask) {
    future<int> f = this->submit([this] {
        const auto children = [this] {
            std::vector<future<int>> all;
            for (int i = 1; i <= 10; ++i) all.push_back(this->submit([i] { return i; }));
            return all;
        };
        int sum = 0;
        for (const auto until : {return_when::all_completed,
                                 return_when::first_completed,
                                 return_when::first_exception}) {
            sum += static_cast<int>(heddle::wait(children(), {.until = until}).done.size() > 0);
        }
        for (auto& child : heddle::as_completed(children())) sum += child.result();
        for (const int r : heddle::results(children())) sum += r;
        for (const int r : this->pool().map([](int i) { return i; }, std::views::iota(1, 11))) {
            sum += r;
        }
        for (const int r : this->pool().map_unordered(
                 {.buffer_size = 2}, [](int i) { return i; }, std::views::iota(1, 11))) {
            sum += r;
        }
        return sum;
    });
    EXPECT_EQ(f.result(), 3 + 4 * 55);
}

TYPED_TEST(Nested, ATimedWaitInsideATaskLetsTheChildRunElsewhere) {
    heddle::detail::test_clock clock; // stands still: only the child can end the wait
    future<int> f = this->submit([this] {
        future<int> child = this->submit([] { return 4; });
        return child.wait_for(1h) ? child.result() : -1;
    });
    EXPECT_EQ(f.result(), 4);
}

TYPED_TEST(Nested, RecursionGoesTenThousandDeep) {
    std::function<int(int)> down = [&](int n) -> int {
        return n == 0 ? 0 : 1 + this->pool().submit([&, n] { return down(n - 1); }).result();
    };
    EXPECT_EQ(this->submit([&] { return down(10'000); }).result(), 10'000);
}

TYPED_TEST(Nested, ForkAndJoinOverTwoChildrenEach) {
    std::function<int(int)> fibonacci = [&](int n) -> int {
        if (n < 2) return n;
        future<int> left = this->pool().submit([&, n] { return fibonacci(n - 1); });
        const int right = fibonacci(n - 2);
        return left.result() + right;
    };
    EXPECT_EQ(this->submit([&] { return fibonacci(15); }).result(), 610);
}

TYPED_TEST(Nested, AnotherPoolsTaskAndBack) {
    thread_pool other(1);
    future<int> f = this->submit([&] {
        return this->book()
            .track(other.submit([&] { return this->submit([] { return 3; }).result() + 1; }))
            .result();
    });
    EXPECT_EQ(f.result(), 4);
}

TYPED_TEST(Nested, ManyTasksWaitForOne) {
    promise<int> p;
    future<int> one = p.get_future();
    std::vector<future<int>> waiting;
    for (int i = 0; i < 20; ++i) waiting.push_back(this->submit([one] { return one.result(); }));
    this->submit([&] { p.set_value(2); });
    for (auto& f : waiting) EXPECT_EQ(f.result(), 2);
}

// --- cycles -------------------------------------------------------------------------------------

/// The text of the would_deadlock_error that `f` ends with.
std::string cycle_of(const future<int>& f) {
    try {
        f.result();
    } catch (const would_deadlock_error& e) {
        return e.what();
    }
    return "";
}

TYPED_TEST(Nested, ATaskThatWaitsForItselfIsRefused) {
    promise<future<int>> self;
    future<int> f = this->submit({.name = "narcissus"},
                                 [mine = self.get_future()] { return mine.result().result(); });
    self.set_value(f);
    EXPECT_NE(cycle_of(f).find("narcissus"), std::string::npos) << cycle_of(f);
}

/// Runs `count` tasks of which each waits, in its own way, for the next; gives their futures.
template <class Submit, class Wait>
std::vector<future<int>> ring(int count, Submit submit, Wait wait) {
    std::vector<promise<future<int>>> next(static_cast<std::size_t>(count));
    auto all_run = std::make_shared<std::latch>(count);
    std::vector<future<int>> futures;
    for (int i = 0; i < count; ++i) {
        futures.push_back(
            submit(i, [all_run, wait, n = next[static_cast<std::size_t>(i)].get_future()] {
                all_run->arrive_and_wait();
                return wait(n.result());
            }));
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        next[i].set_value(futures[(i + 1) % futures.size()]);
    }
    heddle::wait(futures);
    return futures;
}

/// How many of `futures` were refused with a text that holds all `names`.
template <std::size_t N>
int refused(const std::vector<future<int>>& futures, const std::array<const char*, N>& names) {
    int count = 0;
    for (const auto& f : futures) {
        const std::string text = cycle_of(f);
        if (text.empty()) continue;
        ++count;
        for (const char* name : names) {
            EXPECT_NE(text.find('"' + std::string(name) + '"'), std::string::npos) << text;
        }
    }
    return count;
}

constexpr std::array<const char*, 3> three{"alpha", "beta", "gamma"};

TYPED_TEST(Nested, ThreeTasksOverTwoPoolsThatWaitInARingAreRefused) {
    // Each pool runs its tasks at the same time, with as many workers as it takes.
    thread_pool other(1);
    thread_pool third(1);
    const auto futures = ring(
        3,
        [&](int i, auto f) {
            const auto at = static_cast<std::size_t>(i);
            const heddle::task_options options{.name = three[at]};
            if (i == 0) return this->submit(options, std::move(f));
            return this->book().track((i == 1 ? other : third).submit(options, std::move(f)));
        },
        [](const future<int>& next) { return next.result(); });
    // One is refused. The one that waits for it gets its error, and so on round the ring.
    EXPECT_EQ(refused(futures, three), 3);
}

TYPED_TEST(Nested, ARingThroughWaitAsCompletedAndResultsIsRefused) {
    thread_pool other(1);
    const std::array<const char*, 2> names{"alpha", "beta"};
    const auto over_both = [&](int i, auto f) {
        const heddle::task_options options{.name = names[static_cast<std::size_t>(i)]};
        if (i == 0) return this->submit(options, std::move(f));
        return this->book().track(other.submit(options, std::move(f)));
    };
    EXPECT_EQ(refused(ring(2,
                           over_both,
                           [](const future<int>& next) {
                               return heddle::wait(std::vector{next}).done[0].result();
                           }),
                      names),
              2);
    EXPECT_EQ(refused(ring(2,
                           over_both,
                           [](const future<int>& next) {
                               return heddle::wait(std::vector{next},
                                                   {.until = return_when::first_completed})
                                   .done[0]
                                   .result();
                           }),
                      names),
              2);
    EXPECT_EQ(refused(ring(2,
                           over_both,
                           [](const future<int>& next) {
                               return heddle::as_completed(std::vector{next}).begin()->result();
                           }),
                      names),
              2);
    EXPECT_EQ(
        refused(ring(2,
                     over_both,
                     [](const future<int>& next) { return heddle::results(std::vector{next})[0]; }),
                names),
        2);
}

TYPED_TEST(Nested, AWaitForAnyOfTwoThatBothLeadBackIsRefused) {
    // start waits for any of left and right; both wait for end; end waits for start.
    thread_pool others(3);
    std::latch all_run(4);
    promise<future<int>> left_p, right_p, end_p, start_p;
    const auto run = [&](auto&& submit, const char* name, auto body) {
        return this->book().track(submit(heddle::task_options{.name = name}, [&all_run, body] {
            all_run.arrive_and_wait();
            return body();
        }));
    };
    const auto here = [&](auto options, auto f) { return this->pool().submit(options, f); };
    const auto there = [&](auto options, auto f) { return others.submit(options, f); };
    future<int> start = run(here, "start", [l = left_p.get_future(), r = right_p.get_future()] {
        return heddle::wait(std::vector{l.result(), r.result()},
                            {.until = return_when::first_completed})
            .done[0]
            .result();
    });
    const auto follow = [](const promise<future<int>>& p) {
        return [f = p.get_future()] { return f.result().result(); };
    };
    future<int> end = run(there, "end", follow(start_p));
    future<int> left = run(there, "left", follow(end_p));
    future<int> right = run(there, "right", follow(end_p));
    start_p.set_value(start);
    end_p.set_value(end);
    left_p.set_value(left);
    right_p.set_value(right);
    EXPECT_NE(cycle_of(start), "");
    EXPECT_NE(cycle_of(end), "");
    heddle::wait(std::vector{left, right});
}

TYPED_TEST(Nested, AWaitForAnyOfWhichOneGoesOnIsNotRefused) {
    promise<int> way_out;
    promise<future<int>> self;
    future<int> f = this->submit([mine = self.get_future(), out = way_out.get_future()] {
        const auto seen =
            heddle::wait(std::vector{mine.result(), out}, {.until = return_when::first_completed});
        return seen.done.at(0).result();
    });
    self.set_value(f);
    way_out.set_value(8);
    EXPECT_EQ(f.result(), 8);
}

TYPED_TEST(Nested, AWaitWithATimeLimitInACycleTimesOut) {
    heddle::detail::test_clock clock;
    promise<future<int>> self;
    future<int> f = this->submit([mine = self.get_future()] {
        EXPECT_THROW((void)mine.result().result_for(5s), heddle::timeout_error);
        return 1;
    });
    self.set_value(f);
    clock.wait_for_sleepers(1);
    clock.advance(5s);
    EXPECT_EQ(f.result(), 1);
}

} // namespace
