#pragma once
// Other shapes of a finding: Chrome's trace format and one self-contained HTML page.

#include "symbols.hpp"

namespace heddle::check {

/// Writes trace.json into the finding's folder: the recorded run, one row a thread; opens in
/// Perfetto and chrome://tracing.
void save_trace(const finding& f, const channel& c, const symbols& names);

/// A page without scripts or network.
std::string to_html(const std::vector<finding>& findings, const std::string& title);

} // namespace heddle::check
