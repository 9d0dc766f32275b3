#pragma once
// The departures from the default schedule: those that a replay follows, and those of this run.

#include "engine.hpp"

namespace heddle::check::rt {

inline bool is_replay() {
    return g.shared->config.replay != replaying::nothing;
}

/// The recorded choice for this step of the thread that has the turn; null if there is none.
const choice* recorded(choice::kind_t kind);

/// The step at which the next one is due, if the turn does not change before; ~0 for never.
u64 next_choice_step();

/// No departure more can be noted: from here on the default schedule decides.
bool choices_full();

/// Notes that `value` was chosen and not the default.
void log_choice(choice::kind_t kind, u32 value);

} // namespace heddle::check::rt
