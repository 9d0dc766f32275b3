/// No failure is silent: who counts as looking, and what the handler is told.
#include "support/lost_failures.hpp"

#include <heddle/thread_pool.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using heddle::future;
using heddle::make_failed_future;
using heddle::promise;
using heddle::thread_pool;
using heddle::test::lost_failures;

namespace {

future<int> failed() {
    return make_failed_future<int>(std::make_exception_ptr(std::runtime_error("unseen")));
}

/// How many failures reach the handler when `use` has used a failed future.
template <class F>
std::size_t lost_after(F use) {
    const lost_failures lost;
    {
        future<int> f = failed();
        use(f);
    }
    return lost.count();
}

TEST(FailureHandler, IsToldWhenTheLastHandleGoes) {
    const lost_failures lost;
    future<int> f = failed();
    future<int> other = f;
    f = {};
    EXPECT_EQ(lost.count(), 0u);
    other = {};
    ASSERT_EQ(lost.count(), 1u);
    EXPECT_EQ(lost.text(0), "std::runtime_error: unseen");
}

TEST(FailureHandler, LookingIsResultOutcomeAndException) {
    EXPECT_EQ(lost_after([](future<int>& f) { EXPECT_THROW(f.result(), std::runtime_error); }), 0u);
    EXPECT_EQ(lost_after([](future<int>& f) {
                  EXPECT_THROW((void)std::move(f).result(), std::runtime_error);
              }),
              0u);
    EXPECT_EQ(lost_after([](future<int>& f) { (void)f.outcome(); }), 0u);
    EXPECT_EQ(lost_after([](future<int>& f) { (void)f.exception(); }), 0u);
    EXPECT_EQ(lost_after([](future<int>& f) {
                  EXPECT_THROW(heddle::results(std::vector{f, failed()}), std::runtime_error);
              }),
              0u);
}

TEST(FailureHandler, WaitingIsNotLooking) {
    EXPECT_EQ(lost_after([](future<int>& f) {
                  f.wait();
                  (void)f.wait_for(heddle::duration(1));
                  (void)(f.done() && f.running() && f.cancelled());
                  f.add_done_callback([](const future<int>&) {});
                  heddle::wait(std::vector{f});
                  for (auto& done : heddle::as_completed(std::vector{f})) EXPECT_TRUE(done.done());
              }),
              1u);
}

TEST(FailureHandler, IsNotToldOfCancellationsOrValues) {
    const lost_failures lost;
    promise<int> cancelled;
    cancelled.get_future().cancel();
    promise<int> set;
    set.set_value(1);
    EXPECT_EQ(lost.count(), 0u);
}

TEST(FailureHandler, IsToldOfABrokenPromiseThatSomebodyHadAHandleTo) {
    const lost_failures lost;
    {
        promise<int> p;
        const future<int> f = p.get_future();
    }
    EXPECT_EQ(lost.count(), 1u);
}

TEST(FailureHandler, IsToldTheNameAndThePlace) {
    const lost_failures lost;
    const auto here = std::source_location::current();
    {
        thread_pool pool(1);
        (void)pool.submit({.name = "worker bee"}, [] { throw 1; });
        (void)pool.submit([] { throw 2; });
    }
    ASSERT_EQ(lost.count(), 2u);
    EXPECT_EQ(lost.at(0).task_name, "worker bee");
    EXPECT_STREQ(lost.at(0).where.file_name(), here.file_name());
    EXPECT_EQ(lost.at(0).where.line(), here.line() + 3);
    EXPECT_EQ(lost.at(0).address, nullptr);
    EXPECT_EQ(lost.at(1).task_name, "");
    EXPECT_EQ(lost.at(1).where.line(), 0u);
    EXPECT_NE(lost.at(1).address, nullptr);
    EXPECT_EQ(lost.text(1), "an exception of type int");
}

TEST(FailureHandler, ReturnsTheOldOneWhenReplaced) {
    int first = 0, second = 0;
    auto original = heddle::set_failure_handler([&](const heddle::failure_info&) { ++first; });
    auto old = heddle::set_failure_handler([&](const heddle::failure_info&) { ++second; });
    (void)failed();
    EXPECT_EQ(std::pair(first, second), std::pair(0, 1));
    heddle::set_failure_handler(old);
    (void)failed();
    EXPECT_EQ(std::pair(first, second), std::pair(1, 1));
    heddle::set_failure_handler(original);
}

TEST(FailureHandler, WhatItThrowsIsSwallowed) {
    auto before = heddle::set_failure_handler([](const heddle::failure_info&) { throw 5; });
    (void)failed();
    {
        thread_pool pool(1);
        pool.post([] { throw 1; });
    }
    heddle::set_failure_handler(before);
}

TEST(FailureHandler, MayUseHeddleItself) {
    thread_pool pool(1);
    int told = 0;
    auto before = heddle::set_failure_handler([&](const heddle::failure_info& lost) {
        if (++told == 1) {
            EXPECT_EQ(pool.submit([] { return 1; }).result(), 1);
            (void)make_failed_future<int>(lost.exception);
            heddle::set_failure_handler({});
        }
    });
    (void)failed();
    EXPECT_EQ(told, 2);
    heddle::set_failure_handler(before);
}

TEST(FailureHandler, ByDefaultPrintsOneLineThatNamesTaskPlaceAndException) {
    auto before = heddle::set_failure_handler({});
    testing::internal::CaptureStderr();
    {
        thread_pool pool(1);
        (void)pool.submit({.name = "bee"}, [] { throw std::runtime_error("no honey"); });
    }
    const std::string said = testing::internal::GetCapturedStderr();
    heddle::set_failure_handler(before);
    EXPECT_NE(said.find("\"bee\""), std::string::npos) << said;
    EXPECT_NE(said.find("failure_handler_test.cpp:"), std::string::npos) << said;
    EXPECT_NE(said.find("std::runtime_error: no honey\n"), std::string::npos) << said;
    EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
}

} // namespace
