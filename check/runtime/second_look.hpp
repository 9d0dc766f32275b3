#pragma once
// Nobody can run any more, and some sleep until they are told. A lost wake-up or a deadlock? That
// is found out by waking them, which any condition variable and futex may do by itself: if one of
// them goes on, a wake-up was missing; if all go to sleep again, they had nothing to wake up for.

#include "engine.hpp"

namespace heddle::check::rt {

/// Wakes who sleeps until told, for the rest of the run. False when there is nobody, or all have
/// looked. To be called when result.block is filled.
bool begin_second_look();

/// Whether the calling thread, which has the turn, goes on: it does more than look and wait again.
bool goes_on_after_look(bool ends);

/// After the look, with all asleep again: whether one of them waits elsewhere now.
bool waits_elsewhere();

} // namespace heddle::check::rt
