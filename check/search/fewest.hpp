#pragma once
// The failing schedule with the fewest forced switches, by trying all of them in that order.

#include "../runtime/protocol.hpp"

#include <functional>
#include <vector>

namespace heddle::check {

/// What one recorded run showed.
struct attempt {
    bool fails = false;
    bool complete = true; // the list holds all decisions of the run
    std::vector<decision> decisions;
};

/// Runs the choices, recorded.
using recorded_trial = std::function<attempt(const std::vector<choice>& choices)>;

/// False: the time is up.
using go_on = std::function<bool()>;

struct fewest_result {
    bool found = false;
    std::vector<choice> choices; // of the schedule found
    u64 switches = 0;            // forced ones in it: choices that stop a thread that could go on
    u64 exhausted = 0;           // every schedule with fewer forced switches than this was run
    u64 runs = 0;                // schedules run with fewer forced switches than `exhausted`
};

/// Iterative context bounding (Musuvathi, Qadeer 2007): first all schedules without a forced
/// switch, then all with one, and so on up to `most`, at most `budget` runs. Choices who goes on
/// when a thread blocks or ends cost nothing.
fewest_result find_fewest(const recorded_trial& run, const go_on& time, u64 most, u64 budget);

} // namespace heddle::check
