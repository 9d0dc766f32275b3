#pragma once
// One bug, with all that is needed to make it happen again.

#include "../runtime/protocol.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace heddle::check {

/// The finding cannot be read, or does not fit the program.
struct bad_finding : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct source_place {
    std::string file;
    int line = 0;
    std::string function;
};

struct finding {
    // what a replay needs
    std::string program, build_id, digest;
    std::vector<std::string> arguments;
    u64 seed = 0, schedule = 0, signature = 0, step_limit = 0;
    i64 expected_exit = -1, wall_base_ns = 0, steady_base_ns = 0;
    failure kind = failure::none;
    std::vector<choice> choices;
    std::vector<u32> checkpoints;

    // what is told
    std::string strategy, variable, message, story;
    u32 threads = 0;
    u64 switches = 0;
    u64 first_step = 0; // of the story, in the run: where a debugger stops
    std::vector<source_place> places;
    std::string path;
};

/// The word of API.md for a failure: "data-race", "deadlock", ...
const char* kind_name(failure kind);

/// Makes a new folder under `parent` and writes the finding there; sets `path`.
void save(finding& f, const std::string& parent);

/// Throws bad_finding with what is wrong and what to do.
finding load(const std::string& folder);

/// The entry of the list `findings` in a report, as JSON text.
std::string to_json(const finding& f);

} // namespace heddle::check
