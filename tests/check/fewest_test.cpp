// The search for the fewest switches, over runs that exist only on paper.
#include "../../check/search/fewest.hpp"

#include <gtest/gtest.h>

#include <set>

namespace heddle::check {
namespace {

/// Two threads of `length` steps each. By default thread 0 runs to its end, then thread 1. A run is
/// the order of the threads' steps; `fails` looks at it.
struct paper_program {
    std::size_t length;
    std::function<bool(const std::vector<u32>&)> fails;
    std::set<std::vector<u32>> seen;
    u64 runs = 0;

    attempt run(const std::vector<choice>& choices) {
        attempt a;
        std::vector<u32> order;
        std::size_t done[2] = {0, 0}, next = 0;
        u32 current = 0;
        for (u64 step = 1; order.size() < 2 * length; ++step) {
            const bool goes_on = done[current] < length;
            u32 chosen = goes_on ? current : 1 - current;
            const u32 other = 1 - current;
            if (next < choices.size() && choices[next].step == step) {
                chosen = choices[next].value;
                ++next;
            } else if (goes_on && done[other] < length) {
                a.decisions.push_back({step, u64{1} << other, 1, 0});
            }
            current = chosen;
            ++done[current];
            order.push_back(current);
        }
        ++runs;
        EXPECT_TRUE(seen.insert(order).second) << "a schedule was run twice";
        a.fails = fails(order);
        return a;
    }
};

std::size_t switches(const std::vector<u32>& order) {
    std::size_t n = 0;
    for (std::size_t i = 1; i < order.size(); ++i) n += order[i] != order[i - 1];
    return n;
}

fewest_result search(paper_program& p, u64 most, u64 budget = 100'000) {
    return find_fewest(
        [&](const auto& choices) { return p.run(choices); }, [] { return true; }, most, budget);
}

TEST(FewestSwitches, FindsTheScheduleWithTheFewestAndHasTriedAllWithFewer) {
    // Needs thread 1 between two steps of thread 0: one forced switch, and a free one back.
    paper_program p{4, [](const auto& o) { return switches(o) == 2 && o.front() == 0; }, {}, 0};
    const auto r = search(p, 3);
    EXPECT_TRUE(r.found);
    EXPECT_EQ(r.switches, 1U);
    EXPECT_EQ(r.choices.size(), 1U);
    EXPECT_EQ(r.exhausted, 1U);
    EXPECT_EQ(r.runs, 1U); // the only schedule without a forced switch
}

TEST(FewestSwitches, RunsEveryScheduleUpToTheBoundExactlyOnce) {
    paper_program p{3, [](const auto&) { return false; }, {}, 0};
    const auto r = search(p, 6);
    EXPECT_FALSE(r.found);
    EXPECT_EQ(p.seen.size(), 20U); // all interleavings: 6 over 3
    EXPECT_EQ(r.exhausted, 7U);
    EXPECT_EQ(r.runs, 20U);
}

TEST(FewestSwitches, ClaimsNothingWhenTheBudgetIsSpent) {
    paper_program p{6, [](const auto&) { return false; }, {}, 0};
    const auto r = search(p, 12, 3);
    EXPECT_FALSE(r.found);
    EXPECT_EQ(r.exhausted, 1U); // one run without a switch; those with one were begun only
    EXPECT_EQ(p.runs, 3U);
}

TEST(FewestSwitches, ClaimsNothingWhenARunWasTooLongToList) {
    const auto r = find_fewest(
        [](const auto&) {
            attempt a;
            a.complete = false;
            return a;
        },
        [] { return true; },
        2,
        10);
    EXPECT_EQ(r.exhausted, 0U);
    EXPECT_FALSE(r.found);
}

} // namespace
} // namespace heddle::check
