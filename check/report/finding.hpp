#pragma once
// One bug, with all that is needed to make it happen again.

#include "../runtime/protocol.hpp"
#include "text.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace heddle::check {

/// The finding cannot be read, or does not fit the program.
struct bad_finding : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One line of a story's table.
struct story_row {
    u64 step = 0;   // of the run
    u32 number = 0; // as the text calls it; 0: left out of the count
    u32 thread = 0;
    std::string text;     // "reads 0"
    std::string value;    // of the variables, after it
    std::string expected; // what the value would be if nothing had gone wrong
    source_place place;
};

/// How a failure came about, ready to be laid out on paper, screen or page.
struct story {
    std::string claim; // stands alone: "Lost update on `counter`: ..."
    std::string facts; // "3 threads, 2 context switches; found at schedule 10 ..."
    struct column {
        u32 thread;
        std::string name; // "alice, started at bank.cpp:28"; may be empty
    };
    std::vector<column> columns;
    std::string variables; // heads the column of values; empty: there is none
    std::vector<story_row> rows;
    struct excerpt {
        source_place place;
        std::string text;
    };
    std::vector<excerpt> sources;
    struct note {
        std::string label, text;
    };
    std::vector<note> notes; // "Why", "Effect", "Try"
};

/// What replaying both orders of a data race showed.
struct race_effect {
    u32 replays = 0; // of the other order; 0: it could not be brought about
    bool changes_result = false;
    std::string text;
};

struct finding {
    // what a replay needs
    std::string program, build_id, digest;
    std::string input; // the file that was its standard input; empty: none
    std::vector<std::string> arguments;
    u64 seed = 0, schedule = 0, signature = 0, step_limit = 0;
    i64 expected_exit = -1, wall_base_ns = 0, steady_base_ns = 0;
    failure kind = failure::none;
    std::vector<choice> choices;
    std::vector<u32> checkpoints;

    // what is told
    std::string strategy, variable, message;
    story told;
    race_effect effect;
    u64 fewer_tried = 0;  // schedules with fewer switches: all of them, and none fails; 0: unknown
    std::string cause;    // path of the finding of a data race that is in the same run
    bool follows = false; // from that race: its story goes on to this failure
    u32 threads = 0;
    u64 switches = 0;
    u64 first_step = 0; // of the story, in the run: where a debugger stops
    std::vector<source_place> places;
    std::string path;
};

/// "2 distinct bugs found; 1 failure follows from them": what `all` come to.
std::string bugs_found(const std::vector<finding>& all);

/// The word of API.md for a failure: "data-race", "deadlock", ...
const char* kind_name(failure kind);

/// Makes a new folder under `parent` and writes the finding there; sets `path`.
void save(finding& f, const std::string& parent);

/// Throws bad_finding with what is wrong and what to do.
finding load(const std::string& folder);

/// The entry of the list `findings` in a report, as JSON text with a line end.
std::string to_json(const finding& f);

} // namespace heddle::check
