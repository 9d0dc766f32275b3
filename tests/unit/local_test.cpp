#include "../support/fail_nth.hpp"

#include <heddle/local.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

TEST(Local, GivesEachThreadItsOwnValue) {
    heddle::local<int> l;
    l.get() = 1;
    std::thread([&] {
        EXPECT_EQ(l.get(), 0);
        l.get() = 2;
        EXPECT_EQ(l.get(), 2);
    }).join();
    EXPECT_EQ(l.get(), 1);
    EXPECT_EQ(&l.get(), &l.get());
}

TEST(Local, KeepsValuesOfThreadsThatHaveEnded) {
    heddle::local<long> sum;
    for (int round = 0; round < 20; ++round) { // system thread ids are used again, values are not
        std::thread([&] {
            for (int i = 0; i < 100; ++i) ++sum.get();
        }).join();
    }
    int values = 0;
    sum.for_each([&](long& v) {
        ++values;
        EXPECT_EQ(v, 100);
    });
    EXPECT_EQ(values, 20);
    EXPECT_EQ(sum.combine(std::plus<>{}), 2'000);
}

TEST(Local, CombinesToAFreshValueIfNobodyAsked) {
    EXPECT_EQ(heddle::local<int>().combine(std::plus<>{}), 0);
    EXPECT_EQ(heddle::local<int>([] { return 7; }).combine(std::plus<>{}), 7);
}

TEST(Local, CombinesInTheOrderOfFirstUse) {
    heddle::local<std::string> l;
    for (std::string word : {"a", "b", "c"}) std::thread([&] { l.get() = word; }).join();
    EXPECT_EQ(l.combine([](std::string a, const std::string& b) { return a + b; }), "abc");
}

TEST(Local, UsesItsFactory) {
    heddle::local<std::unique_ptr<int>> l([] { return std::make_unique<int>(5); });
    EXPECT_EQ(*l.get(), 5);
    struct immovable {
        explicit immovable(int v) : value(v) {}
        int value;
        std::mutex m;
    };
    heddle::local<immovable> fixed([] { return immovable(3); });
    EXPECT_EQ(fixed.get().value, 3);
}

TEST(Local, TriesAgainWhenItsFactoryThrew) {
    bool fail = true;
    heddle::local<int> l([&] {
        if (fail) throw std::runtime_error("not yet");
        return 1;
    });
    EXPECT_THROW(l.get(), std::runtime_error);
    fail = false;
    EXPECT_EQ(l.get(), 1);
}

TEST(Local, IsNotConfusedByAnotherAtTheSameAddress) {
    std::optional<heddle::local<int>> l;
    for (int i = 0; i < 1'000; ++i) {
        l.emplace();
        ASSERT_EQ(l->get(), 0);
        l->get() = i + 1;
    }
}

TEST(Local, WorksWithMoreThanAreRemembered) {
    constexpr std::size_t count = 200;
    std::vector<std::unique_ptr<heddle::local<std::size_t>>> many;
    for (std::size_t i = 0; i < count; ++i) {
        many.push_back(std::make_unique<heddle::local<std::size_t>>());
    }
    const auto count_up = [&] {
        for (int round = 0; round < 3; ++round) {
            for (std::size_t i = 0; i < count; ++i) many[i]->get() += i;
        }
    };
    std::thread other(count_up);
    count_up();
    other.join();
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(many[i]->get(), 3 * i);
        EXPECT_EQ(many[i]->combine(std::plus<>{}), 6 * i);
    }
}

TEST(Local, SurvivesRunningOutOfMemory) {
    const long failures = heddle::test::fail_each([](long) {
        heddle::local<std::string> l;
        try {
            l.get() += "x";
        } catch (const std::bad_alloc&) {
            EXPECT_EQ(l.get(), ""); // made now
        }
    });
    EXPECT_GE(failures, 3);
}

} // namespace
