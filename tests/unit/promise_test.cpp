/// Every member of promise<T>.
#include <heddle/future.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using heddle::future;
using heddle::invalid_state_error;
using heddle::promise;

namespace {

TEST(Promise, GivesAnyNumberOfHandlesToOneResult) {
    promise<int> p;
    const future<int> a = p.get_future();
    EXPECT_EQ(a, p.get_future());
    p.set_value(1);
    EXPECT_EQ(p.get_future().result() + a.result(), 2);
}

TEST(Promise, SettingTwiceThrowsAndTheFirstStands) {
    promise<int> p;
    p.set_value(1);
    EXPECT_THROW(p.set_value(2), invalid_state_error);
    EXPECT_THROW(p.set_exception(std::make_exception_ptr(3)), invalid_state_error);
    EXPECT_THROW(p.set_running_or_notify_cancel(), invalid_state_error);
    EXPECT_EQ(p.get_future().result(), 1);
    promise<void> failed;
    failed.set_exception(std::make_exception_ptr(3));
    EXPECT_THROW(failed.set_value(), invalid_state_error);
    EXPECT_THROW(failed.get_future().result(), int);
}

TEST(Promise, AMovedFromOneRefusesEverything) {
    promise<int> p;
    const promise<int> owner = std::move(p);
    EXPECT_THROW((void)p.get_future(), invalid_state_error); // NOLINT: used after the move
    EXPECT_THROW(p.set_value(1), invalid_state_error);
    EXPECT_THROW(p.set_exception(std::make_exception_ptr(1)), invalid_state_error);
    EXPECT_THROW(p.set_running_or_notify_cancel(), invalid_state_error);
}

TEST(Promise, ANullExceptionIsRefusedAndChangesNothing) {
    promise<int> p;
    EXPECT_THROW(p.set_exception(nullptr), std::invalid_argument);
    EXPECT_FALSE(p.get_future().done());
    p.set_value(1);
}

TEST(Promise, ARunningOneCannotBeCancelled) {
    promise<int> p;
    const future<int> f = p.get_future();
    EXPECT_TRUE(p.set_running_or_notify_cancel());
    EXPECT_TRUE(f.running());
    EXPECT_FALSE(f.cancel());
    EXPECT_THROW(p.set_running_or_notify_cancel(), invalid_state_error);
    p.set_value(1);
    EXPECT_FALSE(f.running());
}

TEST(Promise, ACancelledOneSaysSoAndCannotBeSet) {
    promise<int> p;
    EXPECT_TRUE(p.get_future().cancel());
    EXPECT_FALSE(p.set_running_or_notify_cancel());
    EXPECT_THROW(p.set_value(1), invalid_state_error);
    EXPECT_THROW(p.set_exception(std::make_exception_ptr(1)), invalid_state_error);
    EXPECT_TRUE(p.get_future().cancelled());
}

TEST(Promise, ConvertsAndMovesItsValue) {
    promise<std::string> text;
    text.set_value("from a literal");
    EXPECT_EQ(text.get_future().result(), "from a literal");
    promise<std::unique_ptr<int>> box;
    box.set_value(std::make_unique<int>(2));
    EXPECT_EQ(*box.get_future().result(), 2);
}

TEST(Promise, WakesAWaiterOfManyAsMuchAsOfOne) {
    std::vector<promise<int>> promises(1000);
    std::vector<future<int>> futures;
    for (auto& p : promises) futures.push_back(p.get_future());
    int at = 0;
    for (auto& p : promises) p.set_value(at++);
    const auto all = heddle::results(futures);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<int>(i));
}

} // namespace
