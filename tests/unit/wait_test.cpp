/// wait, as_completed, results and the completion queue, without any executor.
#include <heddle/future.hpp>

#include <gtest/gtest.h>

#include <array>
#include <forward_list>
#include <iterator>
#include <ranges>
#include <thread>
#include <utility>
#include <vector>

using heddle::future;
using heddle::make_ready_future;
using heddle::promise;
using heddle::detail::completion_queue;
using heddle::detail::deadline;

namespace {

TEST(WaitFor, TakesAnyRangeOfFutures) {
    std::array<future<int>, 2> array{make_ready_future(1), make_ready_future(2)};
    EXPECT_EQ(heddle::wait(array).done.size(), 2u);
    const std::forward_list<future<int>> list{array[0]};
    EXPECT_EQ(heddle::wait(list).done.front(), array[0]);
    auto made =
        std::views::iota(0, 3) | std::views::transform([](int i) { return make_ready_future(i); });
    EXPECT_EQ(heddle::wait(made).done.size(), 3u);
    EXPECT_EQ(heddle::results(made), (std::vector{0, 1, 2}));
    EXPECT_EQ(std::ranges::distance(heddle::as_completed(made)), 3);
}

TEST(WaitFor, LeavesItsArgumentAsItIs) {
    std::vector<future<int>> futures{make_ready_future(1), make_ready_future(2)};
    heddle::wait(futures);
    (void)heddle::as_completed(futures);
    heddle::results(futures);
    for (const auto& f : futures) EXPECT_TRUE(f.valid());
}

TEST(WaitFor, ResultsGiveReferencesAsWrappers) {
    int a = 1, b = 2;
    promise<int&> p, q;
    p.set_value(a);
    q.set_value(b);
    const auto all = heddle::results(std::vector{p.get_future(), q.get_future()});
    EXPECT_EQ(&all.at(1).get(), &b);
}

TEST(WaitFor, ResultsTakeDuplicatesAsOftenAsTheyCome) {
    const future<int> f = make_ready_future(3);
    EXPECT_EQ(heddle::results(std::vector{f, f}), (std::vector{3, 3}));
}

TEST(CompletionQueue, GivesWhatIsDoneAlreadyInTheOrderGiven) {
    std::vector<future<int>> futures;
    std::vector<heddle::detail::task*> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(futures.emplace_back(make_ready_future(i)).task());
    completion_queue queue(tasks);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(queue.pop(deadline::never(), false), i);
}

TEST(CompletionQueue, UsesPlacesAgainAndTakesMoreAtAnyTime) {
    completion_queue queue;
    std::vector<promise<int>> promises(3);
    std::vector<future<int>> futures;
    for (auto& p : promises) futures.push_back(p.get_future());
    EXPECT_EQ(queue.add(*futures[0].task()), 0u);
    EXPECT_EQ(queue.add(*futures[1].task()), 1u);
    promises[0].set_value(1);
    EXPECT_EQ(queue.pop(deadline::never(), false), 0u);
    EXPECT_EQ(queue.add(*futures[2].task()), 0u);
    promises[2].set_value(1);
    promises[1].set_value(1);
    EXPECT_EQ(queue.pop(deadline::never(), false), 0u);
    EXPECT_EQ(queue.pop(deadline::never(), false), 1u);
}

TEST(CompletionQueue, MayGoWhileTasksComplete) {
    for (int round = 0; round < 300; ++round) {
        std::vector<promise<int>> promises(8);
        std::vector<future<int>> futures;
        for (auto& p : promises) futures.push_back(p.get_future());
        std::thread finisher([&] {
            for (auto& p : promises) p.set_value(1);
        });
        for (auto& f : heddle::as_completed(futures)) {
            EXPECT_EQ(f.result(), 1);
            break;
        }
        finisher.join();
    }
}

TEST(CompletionQueue, DuplicatesAreFoundInLargeSets) {
    std::vector<future<int>> futures;
    for (int i = 0; i < 3000; ++i) {
        futures.push_back(make_ready_future(i));
        futures.push_back(futures[static_cast<std::size_t>(i)]);
    }
    std::vector<heddle::detail::task*> tasks;
    for (auto& f : futures) tasks.push_back(f.task());
    heddle::detail::unique_tasks(tasks);
    EXPECT_EQ(tasks.size(), 3000u);
    EXPECT_EQ(heddle::wait(futures).done.size(), 3000u);
}

} // namespace
