#include "fewest.hpp"

#include <deque>

namespace heddle::check {

namespace {

constexpr std::size_t longest_queue = 100'000;

} // namespace

fewest_result find_fewest(const recorded_trial& run, const go_on& time, u64 most, u64 budget) {
    fewest_result result;
    using schedule = std::vector<choice>;
    std::deque<schedule> now{{}}, next;
    u64 runs = 0;
    for (u64 level = 0; level <= most; ++level) {
        while (!now.empty()) {
            if (runs == budget || !time()) return result;
            const schedule prefix = std::move(now.front());
            now.pop_front();
            const attempt a = run(prefix);
            ++runs;
            if (a.fails) {
                result.found = true;
                result.choices = prefix;
                result.switches = level;
                return result;
            }
            if (!a.complete) return result;
            for (const decision& d : a.decisions) {
                if (!prefix.empty() && d.step <= prefix.back().step) continue;
                std::deque<schedule>& queue = d.preempts != 0 ? next : now;
                for (u32 t = 0; t < 64; ++t) {
                    if ((d.others >> t & 1) == 0) continue;
                    if (queue.size() == longest_queue) return result;
                    queue.push_back(prefix);
                    queue.back().push_back({d.step, choice::thread, t});
                }
            }
        }
        result.exhausted = level + 1;
        result.runs = runs;
        now = std::move(next);
        next.clear();
    }
    return result;
}

} // namespace heddle::check
