/// from_std: a std::future becomes a heddle::future.
#include <heddle/future.hpp>

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

namespace {

TEST(FromStd, GivesTheValue) {
    std::promise<int> p;
    heddle::future<int> f = heddle::from_std(p.get_future());
    EXPECT_FALSE(f.done());
    p.set_value(3);
    EXPECT_EQ(f.result(), 3);
}

TEST(FromStd, GivesAValueThatIsThereAtOnce) {
    std::promise<std::unique_ptr<int>> p;
    p.set_value(std::make_unique<int>(4));
    heddle::future<std::unique_ptr<int>> f = heddle::from_std(p.get_future());
    EXPECT_TRUE(f.done());
    EXPECT_EQ(*std::move(f).result(), 4);
}

TEST(FromStd, GivesVoidAndReferences) {
    std::promise<void> nothing;
    nothing.set_value();
    heddle::from_std(nothing.get_future()).result();
    int here = 5;
    std::promise<int&> reference;
    reference.set_value(here);
    EXPECT_EQ(&heddle::from_std(reference.get_future()).result(), &here);
}

TEST(FromStd, TakesASharedFuture) {
    std::promise<int> p;
    p.set_value(6);
    EXPECT_EQ(heddle::from_std(p.get_future().share()).result(), 6);
}

TEST(FromStd, RunsADeferredFunction) {
    EXPECT_EQ(heddle::from_std(std::async(std::launch::deferred, [] { return 7; })).result(), 7);
}

TEST(FromStd, GivesTheException) {
    std::promise<int> p;
    p.set_exception(std::make_exception_ptr(std::range_error("far")));
    EXPECT_THROW(heddle::from_std(p.get_future()).result(), std::range_error);
}

TEST(FromStd, GivesAnExceptionOfHeddlesOwnTypes) {
    std::promise<int> p;
    p.set_exception(std::make_exception_ptr(heddle::invalid_state_error("of the task")));
    EXPECT_THROW(heddle::from_std(p.get_future()).result(), heddle::invalid_state_error);
}

TEST(FromStd, MayBeCancelledWhileTheOtherIsPending) {
    std::promise<int> p;
    heddle::future<int> f = heddle::from_std(p.get_future());
    EXPECT_TRUE(f.cancel());
    p.set_value(1);
    EXPECT_THROW(f.result(), heddle::cancelled_error);
}

TEST(FromStd, RefusesAnEmptyFuture) {
    EXPECT_THROW((void)heddle::from_std(std::future<int>()), heddle::invalid_state_error);
}

} // namespace
