#pragma once
// Whether a data race matters: the same schedule with the two accesses the other way round.

#include "../report/story.hpp"
#include "session.hpp"

namespace heddle::check {

/// Thread safety: for one thread. Lifetime: the program runs as long as it lives.
class judge {
public:
    judge(const program_file& program, const std::vector<std::string>& arguments);

    /// Replays `f`, a data race, as it was found and with its accesses in the other order, and the
    /// program alone; compares how they end and what they print. Blocks for at most `seconds`.
    race_effect effect_of(const finding& f, double seconds);

private:
    struct outcome {
        failure kind = failure::none;
        i64 exit_status = 0;
        std::string output, end;
    };

    bool run(const finding& f, const std::vector<choice>& choices, outcome& into);
    static bool same(const outcome& a, const outcome& b);
    static std::string describe(const outcome& a, const outcome& other);

    session session_;
};

} // namespace heddle::check
