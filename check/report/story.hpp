#pragma once
// The story of a failure: who did what to the variable, in which order, and what went wrong.

#include "symbols.hpp"

namespace heddle::check {

/// What is known of the program when it runs alone and unperturbed: who writes what.
struct background {
    struct writer {
        u64 address;
        u32 thread;
        source_place place;
    };
    std::vector<writer> writers;
};

/// From a recorded run without any departure from the default schedule.
background background_of(const channel& c, const symbols& names);

/// The events that the run kept, in order.
std::vector<const event*> recorded_events(const channel& c);

/// How a run ended, as the end of a sentence: "assertion `x == 2` fails"; empty when all was well.
std::string end_of(const run_result& r);

/// The earlier access of the race, with its step and calls. The run must be a recorded one.
access first_access(const channel& c, u32 race);

/// The address of a data race; 0 when the run does not show it.
u64 racy_address(const channel& c, u64 signature);

/// Whether the recorded run shows an update that got lost on the address.
bool shows_lost_update(const channel& c, u64 address);

/// Fills in what a finding tells (message, variable, places, story) from a recorded run of it.
void tell(finding& f, const channel& c, const symbols& names, const background& known);

/// Adds what was found out after the story was told: the effect of a race, the fewest switches,
/// the cause.
void conclude(finding& f);

} // namespace heddle::check
