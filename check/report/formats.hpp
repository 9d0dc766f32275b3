#pragma once
// The shapes in which findings are handed out.

#include "symbols.hpp"

namespace heddle::check {

inline constexpr const char* tool_version = HEDDLE_CHECK_VERSION;

/// What a whole check found.
struct summary {
    std::string program;
    std::vector<std::string> arguments;
    u64 seed = 0, schedules = 0;
    double seconds = 0;
    u32 threads = 0;
    std::vector<finding> findings;
    std::vector<std::string> limits;
};

struct paper {
    std::size_t width = 80;
    bool colour = false;
    std::string tool = "heddle"; // how the user calls it, for the line that replays
};

/// The story as plain text of at most 25 lines; ends with the line that replays it.
std::string to_text(const finding& f, const paper& p);

/// Text of several paragraphs, each folded at the width; what follows `head` stands under its end.
std::string fold(const std::string& head, const std::string& text, std::size_t width);

/// The report of API.md.
std::string to_json(const summary& s);

/// One page without scripts or network.
std::string to_html(const summary& s, const paper& p);

/// SARIF 2.1.0, as code hosts read it; places under `root` are told relative to it.
std::string to_sarif(const summary& s, const std::string& root);

/// The recorded run in Chrome's trace format: one row a thread; opens in Perfetto.
std::string to_trace(const channel& c, const symbols& names);

} // namespace heddle::check
