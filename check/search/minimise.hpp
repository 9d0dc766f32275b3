#pragma once
// Fewer choices, the same failure.

#include "../runtime/protocol.hpp"

#include <functional>
#include <vector>

namespace heddle::check {

/// Runs the choices (those that fit); true when the failure is the same. Then `choices` becomes
/// what was really chosen.
using trial = std::function<bool(std::vector<choice>& choices)>;

/// Delta debugging (Zeller, Hildebrandt 2002) over the departures from the default schedule. Ends
/// when none can be left out, or after `budget` runs. Returns choices that failed when last tried.
std::vector<choice> minimise(std::vector<choice> choices, const trial& fails, int budget);

} // namespace heddle::check
