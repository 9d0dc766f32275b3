#pragma once
// The search: schedules until the budget is spent, each distinct bug once.

#include "../report/formats.hpp"
#include "session.hpp"

#include <functional>
#include <set>

namespace heddle::check {

struct check_options {
    u64 schedules = 10'000;
    double seconds = 30;
    u64 seed = 1;
    strategy_kind strategy = strategy_kind::mix;
    std::string out = "heddle-out";
};

struct check_report {
    summary told;
    u64 steps = 0;            // of the unperturbed run
    bool fails_alone = false; // it crashes or ends with an error
    std::string alone;        // how
    bool was_interrupted = false;
};

/// Called with what there is so far: `found` when the last finding is new, else for progress.
using listener = std::function<void(const summary& so_far, bool found)>;

/// Blocks until the budget is spent or Ctrl-C; throws not_checkable.
check_report explore(const program_file& program,
                     const std::vector<std::string>& arguments,
                     const check_options& options,
                     const listener& listen);

/// Sets up the channel for a replay of `f`.
void prepare_replay(channel& c, const finding& f);

/// Whether the last run of the channel shows the failure.
bool shows(const channel& c, failure kind, u64 signature);

} // namespace heddle::check
