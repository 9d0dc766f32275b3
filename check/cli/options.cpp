#include "options.hpp"

#include "../search/strategy.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace heddle::check {

namespace {

u64 number_of(const char* option, const std::string& text, u64 least) {
    u64 value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end || text.empty() || value < least)
        throw bad_value(
            fmt::format("{}: '{}' is not a whole number of at least {}", option, text, least));
    return value;
}

strategy_kind strategy_named(const std::string& name) {
    std::string all;
    for (u32 k = 0; k < static_cast<u32>(strategy_kind::count); ++k) {
        const auto kind = static_cast<strategy_kind>(k);
        if (name == name_of(kind)) return kind;
        all += fmt::format("{}{}", all.empty() ? "" : ", ", name_of(kind));
    }
    throw bad_value(fmt::format("--strategy: there is no strategy '{}'; there are {}", name, all));
}

/// CLI11's own usage line knows nothing of `--`.
struct formatter : CLI::Formatter {
    std::string make_usage(const CLI::App* app, std::string) const override {
        const std::string name = app->get_name();
        if (name == "check") return "Usage: heddle check [OPTIONS] -- PROGRAM [ARGS...]\n";
        if (name == "replay") return "Usage: heddle replay [--gdb] FINDING\n";
        if (name == "explain") return "Usage: heddle explain [OPTIONS] FINDING\n";
        return "Usage: heddle check [OPTIONS] -- PROGRAM [ARGS...]\n"
               "       heddle replay [--gdb] FINDING\n"
               "       heddle explain [OPTIONS] FINDING\n";
    }

    std::string make_subcommand(const CLI::App* sub) const override {
        const std::string text = sub->get_description();
        return fmt::format("  {:<10}{}\n", sub->get_name(), text.substr(0, text.find('\n')));
    }
};

void describe_check(CLI::App& app, command_line& line) {
    CLI::App* c = app.add_subcommand(
        "check",
        "Runs PROGRAM under many thread schedules and tells what breaks it.\n"
        "PROGRAM is built with g++ -fsanitize=thread -g (clang: also -shared-libsan); nothing to\n"
        "include, link or rewrite. Stops at --schedules or --time, whichever comes first; after "
        "the\n"
        "first bug it goes on for as many schedules as that took, at least 200.\n");
    c->add_option("--schedules", line.schedules, "how many schedules at most [10000]")
        ->type_name("N");
    c->add_option("--time", line.time, "how long at most: 500ms, 30s, 2m, 1h [30s]")
        ->type_name("T");
    c->add_option("--seed", line.seed, "the same seed gives the same schedules [1]")
        ->type_name("S");
    c->add_option(
         "--strategy", line.strategy, "how schedules are chosen; see the manual page [mix]")
        ->type_name("NAME");
    c->add_option("--out", line.check.out, "folder for findings [heddle-out]")->type_name("DIR");
    c->add_option("--json", line.json, "write the report as JSON")->type_name("FILE");
    c->add_option("--html", line.html, "write the report as one HTML page")->type_name("FILE");
    c->add_option("--sarif", line.sarif, "write the report as SARIF, for code hosts")
        ->type_name("FILE");
    c->add_option("PROGRAM", line.program, "the program and its arguments")
        ->required()
        ->type_name(" ");
    c->positionals_at_end();
    c->footer(
        "Exit status: 0 nothing found, 1 a bug was found, 2 wrong usage, 3 this program cannot be\n"
        "checked, 4 it fails under every schedule, 70 internal error, 130 interrupted.");
}

void describe_replay(CLI::App& app, command_line& line) {
    CLI::App* r = app.add_subcommand(
        "replay", "Runs the one failing schedule of a finding again, exactly.\n");
    r->add_option("FINDING", line.finding, "folder of the finding, as heddle check named it")
        ->required()
        ->type_name(" ");
    r->add_flag("--gdb", line.gdb, "under gdb, stopped at the first step of the story");
    r->footer(
        "Exit status: 1 it happened again, 0 it did not, 3 the finding does not fit the program\n"
        "or the run went another way, 70 internal error, 130 interrupted.");
}

void describe_explain(CLI::App& app, command_line& line) {
    CLI::App* e = app.add_subcommand("explain", "Tells the story of a finding again.\n");
    e->add_option("FINDING", line.finding, "folder of the finding, as heddle check named it")
        ->required()
        ->type_name(" ");
    e->add_option("--json", line.json, "write it as JSON")->type_name("FILE");
    e->add_option("--html", line.html, "write it as one HTML page")->type_name("FILE");
    e->add_option("--sarif", line.sarif, "write it as SARIF, for code hosts")->type_name("FILE");
    e->add_option("--trace", line.trace, "write the whole run in Chrome's trace format (Perfetto)")
        ->type_name("FILE");
}

} // namespace

double seconds_of(const std::string& text) {
    std::size_t end = 0;
    double value = -1;
    try {
        value = std::stod(text, &end);
    } catch (const std::exception&) {
        end = 0;
    }
    const std::string unit = text.substr(end);
    const double factor = unit == "s" || unit.empty() ? 1
                          : unit == "m"               ? 60
                          : unit == "ms"              ? 0.001
                          : unit == "h"               ? 3600
                                                      : -1;
    constexpr double most = 1e8;
    if (end == 0 || factor < 0 || !(value > 0) || !(value * factor <= most))
        throw bad_value(
            fmt::format("--time: '{}' is not a time over 0, such as 500ms, 30s, 2m or 1h", text));
    return value * factor;
}

void read_values(command_line& line) {
    line.check.schedules = number_of("--schedules", line.schedules, 1);
    line.check.seed = number_of("--seed", line.seed, 0);
    line.check.seconds = seconds_of(line.time);
    line.check.strategy = strategy_named(line.strategy);
    if (line.colour != "auto" && line.colour != "always" && line.colour != "never")
        throw bad_value(fmt::format("--color: '{}' is not auto, always or never", line.colour));
}

void describe_commands(CLI::App& app, command_line& line) {
    app.require_subcommand(1);
    const auto help = std::make_shared<formatter>();
    help->label("REQUIRED", "");
    app.formatter(help);
    app.footer("heddle COMMAND --help tells more about each.");
    app.fallthrough();
    app.set_version_flag("--version", fmt::format("heddle {}", tool_version));
    app.add_option("--color", line.colour, "auto, always or never [auto]")->type_name("WHEN");
    describe_check(app, line);
    describe_replay(app, line);
    describe_explain(app, line);
}

} // namespace heddle::check
