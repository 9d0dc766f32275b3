#include "../../check/search/minimise.hpp"
#include "../../check/search/strategy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace heddle::check {
namespace {

candidate runnable(u32 thread, u32 object = 0) {
    return {thread, op::atomic_rmw, true, false, false, 0, object, 1};
}

std::vector<u32> choices_of(strategy_kind kind, u64 seed, int count) {
    auto s = std::make_unique<strategy>();
    s->begin(kind, seed, 7, 50);
    std::vector<u32> made;
    for (int i = 0; i < count; ++i) {
        const candidate list[] = {runnable(0, 1), runnable(1, 1), runnable(2, 2)};
        made.push_back(s->choose({list, 3, 0, false, false, 0, 4, static_cast<u64>(i) + 1}));
    }
    return made;
}

TEST(Strategy, MakesTheSameChoicesForTheSameSeed) {
    for (const auto kind :
         {strategy_kind::random_walk, strategy_kind::pct, strategy_kind::pos, strategy_kind::hold})
        EXPECT_EQ(choices_of(kind, 11, 100), choices_of(kind, 11, 100)) << name_of(kind);
}

TEST(Strategy, ChoosesOnlyWhatItWasOffered) {
    for (const auto kind :
         {strategy_kind::random_walk, strategy_kind::pct, strategy_kind::pos, strategy_kind::hold})
        for (u64 seed = 1; seed < 50; ++seed)
            for (const u32 c : choices_of(kind, seed, 50)) ASSERT_LT(c, 3u) << name_of(kind);
}

TEST(Strategy, LetsEveryThreadRunUnderARandomWalk) {
    const auto made = choices_of(strategy_kind::random_walk, 3, 300);
    for (u32 thread = 0; thread < 3; ++thread)
        EXPECT_GT(std::count(made.begin(), made.end(), thread), 0);
}

TEST(Strategy, FollowsTheDefaultInOrder) {
    for (const u32 c : choices_of(strategy_kind::in_order, 1, 20)) EXPECT_EQ(c, 0u);
}

TEST(Strategy, GivesWayWhenTheCurrentThreadSpins) {
    for (const auto kind : {strategy_kind::random_walk,
                            strategy_kind::pct,
                            strategy_kind::pos,
                            strategy_kind::hold}) {
        auto s = std::make_unique<strategy>();
        s->begin(kind, 5, 9, 50);
        for (u64 i = 1; i < 50; ++i) {
            const candidate list[] = {runnable(0), runnable(1)};
            ASSERT_EQ(s->choose({list, 2, 0, true, true, 1, 0, i}), 1u) << name_of(kind);
        }
    }
}

candidate waiting(u32 thread) {
    candidate c = runnable(thread);
    c.only_waits = true;
    return c;
}

TEST(Strategy, PassesOverThreadsThatOnlyWaitButNotAlways) {
    for (const auto kind : {strategy_kind::random_walk,
                            strategy_kind::pct,
                            strategy_kind::pos,
                            strategy_kind::hold}) {
        int waits = 0, runs = 0;
        for (u64 seed = 1; seed < 200; ++seed) {
            auto s = std::make_unique<strategy>();
            s->begin(kind, seed, 9, 50);
            for (u64 i = 1; i < 50; ++i, ++runs) {
                const candidate list[] = {waiting(0), runnable(1), waiting(2)};
                waits += s->choose({list, 3, 0, false, false, 0, 0, i}) != 1;
            }
        }
        EXPECT_LT(waits * 2, runs) << name_of(kind);
        EXPECT_GT(waits, 0) << name_of(kind); // the loop may end by itself
    }
}

TEST(Strategy, RunsOneOfThoseThatOnlyWaitWhenThereIsNobodyElse) {
    for (u64 seed = 1; seed < 40; ++seed) {
        auto s = std::make_unique<strategy>();
        s->begin(strategy_kind::pct, seed, 9, 50);
        const candidate list[] = {waiting(0), waiting(1)};
        EXPECT_LT(s->choose({list, 2, 0, false, false, 0, 0, 1}), 2u);
    }
}

TEST(Strategy, SpendsNoChangeOfPriorityOnAThreadThatOnlyWaits) {
    // The number of the decision stands still while it waits: a change there would come each time.
    for (u64 seed = 1; seed < 200; ++seed) {
        auto s = std::make_unique<strategy>(), twin = std::make_unique<strategy>();
        s->begin(strategy_kind::pct, seed, 9, 3);
        twin->begin(strategy_kind::pct, seed, 9, 3);
        const candidate both[] = {runnable(0), runnable(1)};
        const candidate stuck[] = {waiting(0), waiting(1)};
        for (int i = 0; i < 20; ++i) s->choose({stuck, 2, 0, false, false, 0, 0, 2});
        twin->choose({stuck, 2, 0, false, false, 0, 0, 2});
        EXPECT_EQ(s->choose({both, 2, 0, false, false, 0, 0, 9}),
                  twin->choose({both, 2, 0, false, false, 0, 0, 9}));
    }
}

candidate about_to(u32 thread, op kind, bool holds_lock, bool again) {
    candidate c{thread, kind, true, false, false, 1, 1, 1};
    c.holds_lock = holds_lock;
    c.again = again;
    return c;
}

TEST(Strategy, HoldsBackTheSecondLockAndTheSleepInTheThirdScheduleOfEverySeed) {
    for (u64 seed = 1; seed < 50; ++seed) {
        auto s = std::make_unique<strategy>();
        s->begin(strategy_kind::mix, seed, 3, 50);
        const candidate list[] = {about_to(0, op::atomic_load, false, false),
                                  about_to(1, op::lock, true, false),
                                  about_to(2, op::cond_wait, false, false)};
        EXPECT_EQ(s->choose({list, 3, 1, false, false, 1, 4, 1}), 0u);
    }
}

TEST(Strategy, HoldsBackWhoComesBackToAVariableInTheNextTwo) {
    for (u64 number = 4; number < 6; ++number)
        for (u64 seed = 1; seed < 50; ++seed) {
            auto s = std::make_unique<strategy>();
            s->begin(strategy_kind::mix, seed, number, 50);
            const candidate list[] = {about_to(0, op::lock, true, true),
                                      about_to(1, op::atomic_load, false, false),
                                      about_to(2, op::write, false, true)};
            EXPECT_EQ(s->choose({list, 3, 2, false, false, 2, 4, 1}), 1u);
        }
}

TEST(Strategy, StartsEveryMixWithTheTwoSchedulesWithoutPreemption) {
    EXPECT_EQ(strategy_of(strategy_kind::mix, 99, 1), strategy_kind::in_order);
    EXPECT_EQ(strategy_of(strategy_kind::mix, 99, 2), strategy_kind::reversed);
}

TEST(Strategy, UsesEveryArmOfAMixEarlyAndRandomWalkSeldom) {
    const auto uses = [](u64 seed, strategy_kind kind, u64 last) {
        u64 count = 0;
        for (u64 n = 3; n <= last; ++n) count += strategy_of(strategy_kind::mix, seed, n) == kind;
        return count;
    };
    for (u64 seed = 1; seed < 20; ++seed) {
        for (const auto kind : {strategy_kind::pct, strategy_kind::pos, strategy_kind::hold})
            EXPECT_GT(uses(seed, kind, 10), 0U) << name_of(kind) << ", seed " << seed;
        const u64 walks = uses(seed, strategy_kind::random_walk, 1000);
        EXPECT_GT(walks, 20U) << "seed " << seed;
        EXPECT_LT(walks, 150U) << "seed " << seed;
    }
}

TEST(Minimise, LeavesOnlyTheChoicesThatMatter) {
    std::vector<choice> all;
    for (u64 step = 1; step <= 40; ++step) all.push_back({step, choice::thread, 1});
    const trial fails = [](std::vector<choice>& c) {
        const auto has = [&](u64 step) {
            return std::any_of(c.begin(), c.end(), [&](const choice& x) { return x.step == step; });
        };
        return has(7) && has(31);
    };
    const auto least = minimise(all, fails, 1000);
    ASSERT_EQ(least.size(), 2u);
    EXPECT_EQ(least[0].step, 7u);
    EXPECT_EQ(least[1].step, 31u);
}

TEST(Minimise, KeepsWithinItsBudget) {
    int runs = 0;
    std::vector<choice> all(64, choice{1, choice::thread, 1});
    minimise(
        all,
        [&](std::vector<choice>&) {
            ++runs;
            return false;
        },
        10);
    EXPECT_LE(runs, 10);
}

} // namespace
} // namespace heddle::check
