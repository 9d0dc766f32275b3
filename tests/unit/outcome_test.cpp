#include <heddle/error.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace {

TEST(Outcome, HoldsAValue) {
    const heddle::outcome<std::string> o("seven");
    EXPECT_TRUE(o.has_value());
    EXPECT_EQ(o.value(), "seven");
    EXPECT_EQ(o.exception(), nullptr);
}

TEST(Outcome, RethrowsTheExceptionItHolds) {
    const heddle::outcome<int> o(std::make_exception_ptr(std::out_of_range("no seventh")));
    EXPECT_FALSE(o.has_value());
    EXPECT_NE(o.exception(), nullptr);
    EXPECT_THROW(o.value(), std::out_of_range);
}

TEST(Outcome, GivesAMoveOnlyValueAway) {
    heddle::outcome<std::unique_ptr<int>> o(std::make_unique<int>(7));
    const std::unique_ptr<int> taken = std::move(o).value();
    EXPECT_EQ(*taken, 7);
}

TEST(Outcome, OfAReferenceBorrowsTheObject) {
    int seven = 7;
    heddle::outcome<int&> o(seven);
    o.value() = 8;
    EXPECT_EQ(seven, 8);
}

TEST(Outcome, OfVoidIsSuccessByDefault) {
    const heddle::outcome<void> o;
    EXPECT_TRUE(o.has_value());
    EXPECT_NO_THROW(o.value());
}

} // namespace
