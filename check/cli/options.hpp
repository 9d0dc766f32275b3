#pragma once
// The command line of `heddle`.

#include "explore.hpp"

#include <CLI/CLI.hpp>

namespace heddle::check {

struct command_line {
    check_options check;
    std::string json, html, sarif, trace, finding, colour = "auto";
    std::vector<std::string> program;
    bool gdb = false;

    // as they were typed; read_values() turns them into `check`
    std::string schedules = "10000", time = "30s", seed = "1", strategy = "mix";
};

/// A value that an option cannot take; what() names option, value and range in one line.
struct bad_value : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Subcommands, options and their help.
void describe_commands(CLI::App& app, command_line& line);

/// Fills `line.check` from the words; throws bad_value.
void read_values(command_line& line);

/// "30s", "500ms", "2m", "1h" or "90" in seconds; throws bad_value.
double seconds_of(const std::string& text);

} // namespace heddle::check
