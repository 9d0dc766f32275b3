#include <heddle/functional.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using heddle::partial;

int weigh(int a, int b, int c) {
    return 100 * a + 10 * b + c;
}

TEST(Partial, PutsFrozenArgumentsInFront) {
    EXPECT_EQ(partial(weigh, 1, 2)(3), 123);
    EXPECT_EQ(partial(weigh)(1, 2, 3), 123);
    EXPECT_EQ(partial(weigh, 1, 2, 3)(), 123);
}

TEST(Partial, FreezesTheValueAtTheCall) {
    std::vector<std::function<int()>> calls;
    for (int i = 0; i < 100; ++i) calls.push_back(partial([](int n) { return n; }, i));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)](), i);
    std::string text = "before";
    auto p = partial([](const std::string& s) { return s; }, text);
    text = "after";
    EXPECT_EQ(p(), "before");
}

TEST(Partial, GivesEachCallTheSameValues) {
    auto p = partial([](std::string s) { return s += "!"; }, "hi");
    EXPECT_EQ(p(), "hi!");
    EXPECT_EQ(p(), "hi!");
    auto by_reference =
        partial([](auto& s) { return std::is_const_v<std::remove_reference_t<decltype(s)>>; }, 1);
    EXPECT_TRUE(by_reference()); // so it cannot change them
}

TEST(Partial, Composes) {
    auto one = partial(weigh, 1);
    auto two = partial(one, 2);
    EXPECT_EQ(two(3), 123);
    EXPECT_EQ(partial(partial(partial(weigh, 4), 5), 6)(), 456);
}

TEST(Partial, SharesByStdRef) {
    int shared = 0;
    auto add = partial([](auto& to, int n) { to += n; }, std::ref(shared)); // no wrapper seen
    add(2);
    add(3);
    EXPECT_EQ(shared, 5);
    std::move(add)(1);
    EXPECT_EQ(shared, 6);
    auto read = partial([](const int& n) { return &n; }, std::cref(shared));
    EXPECT_EQ(read(), &shared);
}

TEST(Partial, WorksWithMembers) {
    struct account {
        int balance;
        int plus(int n) const { return balance + n; }
    };
    account a{10};
    EXPECT_EQ(partial(&account::plus, a)(5), 15);
    EXPECT_EQ(partial(&account::plus, &a, 6)(), 16);
    EXPECT_EQ(partial(&account::balance)(a), 10);
    partial(&account::balance, std::ref(a))() = 3;
    EXPECT_EQ(a.balance, 3);
}

TEST(Partial, HandsOverMoveOnlyArgumentsAtTheLastCall) {
    auto p = partial([](std::unique_ptr<int> n) { return *n; }, std::make_unique<int>(7));
    static_assert(!std::is_invocable_v<decltype(p)&>);
    static_assert(std::is_invocable_v<decltype(p)>);
    EXPECT_EQ(std::move(p)(), 7);
    auto look = partial([](const std::unique_ptr<int>& n) { return *n; }, std::make_unique<int>(8));
    EXPECT_EQ(look(), 8);
    EXPECT_EQ(look(), 8);
}

TEST(Partial, ForwardsTheRestAndTheResult) {
    auto p = partial([](int, std::unique_ptr<int> n) { return n; }, 0);
    EXPECT_EQ(*p(std::make_unique<int>(4)), 4);
    int x = 0;
    auto reference = partial([](int, int& r) -> int& { return r; }, 0);
    EXPECT_EQ(&reference(x), &x);
}

TEST(Partial, CallsAMutableCallable) {
    auto count = partial([n = 0](int step) mutable { return n += step; }, 2);
    EXPECT_EQ(count(), 2);
    EXPECT_EQ(count(), 4);
    static_assert(!std::is_invocable_v<const decltype(count)&>);
}

TEST(Partial, OfNothingIsRefused) {
    EXPECT_THROW((void)partial(std::function<int(int)>(), 1), std::invalid_argument);
    EXPECT_THROW((void)partial(static_cast<int (*)(int)>(nullptr)), std::invalid_argument);
}

TEST(Partial, CanBeAskedWhatItTakes) {
    using p = decltype(partial(weigh, 1));
    static_assert(std::is_invocable_r_v<int, p&, int, int>);
    static_assert(std::is_invocable_v<const p&, int, int>);
    static_assert(!std::is_invocable_v<p&, int>);
    static_assert(!std::is_invocable_v<p&, std::string, int>);
}

} // namespace
