/// The other examples, run as programs of their own.
#pragma once

#include <string>
#include <vector>

namespace tour {

struct lesson {
    std::string program; ///< lies beside the tour
    std::vector<std::string> arguments;
};

/// What came out of a lesson.
struct lesson_report {
    bool good = false; ///< it ended with 0
    std::string shows; ///< its last line, or what went wrong
    double seconds = 0;
};

/// All lessons, in the order in which to read them.
const std::vector<lesson>& lessons();

/// Runs a lesson that lies in `folder`, and waits for its end. Never throws for what it does.
lesson_report run(const lesson& l, const std::string& folder);

} // namespace tour
