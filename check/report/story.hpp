#pragma once
// The story of a failure: who did what to the variable, in which order, and what went wrong.

#include "symbols.hpp"

#include <optional>

namespace heddle::check {

/// One step of the story.
struct step {
    u64 number = 0; // scheduling step of the run
    u32 thread = 0;
    op kind = op::none;
    bool writes = false, reads = false;
    u64 before = 0, after = 0;
    std::string text;     // "reads counter -> 0"
    std::string value;    // of the variable, after the step
    std::string expected; // what it would be without the lost update
    u32 repeated = 0;     // how many more times in a row
    source_place place;
};

/// What the steps on one variable amount to.
struct pattern {
    enum kind_t { none, lost_update, check_then_act, order_violation, unordered } kind = none;
    std::size_t first = 0, other = 0, last = 0; // indices of the steps that make it
};

/// Recognises the pattern in the accesses to one variable.
pattern recognise(const std::vector<step>& steps);

/// The events that the run kept, in order.
std::vector<const event*> recorded_events(const channel& c);

/// The address that a failure is about: the racy one, or the shared variable that the failing
/// thread looked at last. 0 when there is none.
u64 focus_of(const channel& c, failure kind, u64 signature);

/// The last variable that `thread` read up to step `until` and that another thread writes; when
/// there is none, the last that is not on its own stack.
u64 last_shared_read(const std::vector<const event*>& events, u32 thread, u64 until);

/// Whether the recorded run shows an update that got lost on the address.
bool shows_lost_update(const channel& c, u64 address);

/// Fills in what a finding tells (message, variable, places, story) from a recorded run of it.
/// `replay` is the command line that repeats it.
void tell(finding& f, const channel& c, const symbols& names);

/// The story as it is printed; the last line says how to replay.
std::string story_with_replay(const finding& f);

} // namespace heddle::check
