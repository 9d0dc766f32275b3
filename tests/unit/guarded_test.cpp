#include <heddle/guarded.hpp>

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <memory>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using heddle::guarded;

TEST(Guarded, LosesNoUpdates) {
    guarded<int> counter;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1'000; ++i) {
                counter.with([](int& n) { ++n; });
                ++*counter.lock();
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(counter.get(), 8'000);
}

TEST(Guarded, ReturnsByValueSoThatNoReferenceGetsOut) {
    guarded<std::string> text("abc");
    static_assert(
        std::is_same_v<decltype(text.with([](auto& s) -> auto& { return s; })), std::string>);
    static_assert(std::is_void_v<decltype(text.with([](auto&) {}))>);
    text.with([](auto& s) { s.append("d"); }); // only a value that is not const can be changed
    text.with([](auto& s) { s.pop_back(); });
    EXPECT_EQ(text.with([](auto& s) -> auto& { return s; }), "abc");
    EXPECT_EQ(text.with(&std::string::size), 3u);
    EXPECT_EQ(std::as_const(text).with([](const std::string& s) { return s[0]; }), 'a');
}

TEST(Guarded, MakesItsValueInPlace) {
    struct immovable {
        immovable(int a, std::string b) : x(a), y(std::move(b)) {}
        immovable(immovable&&) = delete;
        int x;
        std::string y;
    };
    guarded<immovable> g(1, "two");
    EXPECT_EQ(g.lock()->y, "two");
    guarded<std::vector<int>> list({1, 2, 3});
    EXPECT_EQ(list.lock()->size(), 3u);
    guarded<std::unique_ptr<int>> pointer(std::make_unique<int>(4));
    EXPECT_EQ(**pointer.lock(), 4);
    guarded deduced(5);
    EXPECT_EQ(deduced.get(), 5);
}

TEST(Guarded, HoldsTheLockAsLongAsTheGuardLives) {
    guarded<int> g(0);
    std::latch locked(1);
    std::thread other;
    {
        auto p = g.lock();
        auto moved = std::move(p); // takes the lock along
        other = std::thread([&] {
            locked.count_down();
            EXPECT_EQ(*g.lock(), 2);
        });
        locked.wait();
        *moved = 1;
        *moved = 2;
    }
    other.join();
}

TEST(Guarded, UnlocksWhenTheFunctionThrows) {
    guarded<int> g(1);
    EXPECT_THROW(g.with([](int&) { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_EQ(g.get(), 1);
}

TEST(Guarded, LetsReadersInTogether) {
    guarded<int, std::shared_mutex> g(7);
    std::latch both(2);
    const auto read = [&](const int& n) {
        both.arrive_and_wait(); // hangs if readers excluded each other
        return n;
    };
    std::thread other([&] { EXPECT_EQ(g.with_shared(read), 7); });
    {
        auto p = g.lock_shared();
        static_assert(std::is_same_v<decltype(*p), const int&>);
        EXPECT_EQ(read(*p), 7);
        EXPECT_EQ(g.get(), 7); // shared, so this is no deadlock
    }
    other.join();
}

template <class G>
concept has_shared = requires(G& g) { g.lock_shared(); };
static_assert(has_shared<guarded<int, std::shared_mutex>>);
static_assert(!has_shared<guarded<int>>);
static_assert(!std::is_copy_constructible_v<guarded<int>>);

TEST(Guarded, LocksSeveralWithoutDeadlock) {
    guarded<int> a(1'000);
    guarded<long, std::shared_mutex> b(1'000);
    std::thread other([&] {
        for (int i = 0; i < 1'000; ++i) {
            auto [to, from] = heddle::lock_all(b, a);
            ++*to;
            --*from;
        }
    });
    for (int i = 0; i < 1'000; ++i) {
        auto [from, to] = heddle::lock_all(a, b);
        --*from;
        ++*to;
        EXPECT_EQ(*from + *to, 2'000);
    }
    other.join();
    const auto& const_b = b;
    auto [one, two] = heddle::lock_all(a, const_b);
    static_assert(std::is_same_v<decltype(*two), const long&>);
    EXPECT_EQ(*one, -1'000);
    EXPECT_EQ(*two, 3'000);
}

} // namespace
