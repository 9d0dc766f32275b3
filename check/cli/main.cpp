// The program `heddle`: options, exit codes and what is printed.
#include "../report/trace.hpp"
#include "../search/strategy.hpp"
#include "explore.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

namespace heddle::check {
namespace {

enum exit_status {
    nothing_found = 0,
    bug_found = 1,
    usage = 2,
    cannot_check = 3,
    fails_alone = 4,
    internal_error = 70,
    was_interrupted = 130
};

struct arguments {
    check_options check;
    std::string time = "30s", strategy = "mix", json, html, trace, finding;
    std::vector<std::string> program;
    bool gdb = false;
};

double seconds_of(const std::string& text) {
    std::size_t end = 0;
    double value = 0;
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
    if (end == 0 || factor < 0 || !(value > 0))
        throw CLI::ValidationError("--time",
                                   fmt::format("'{}' is no time; say 30s, 500ms, 2m", text));
    return value * factor;
}

strategy_kind strategy_named(const std::string& name) {
    for (u32 k = 0; k < static_cast<u32>(strategy_kind::count); ++k)
        if (name == name_of(static_cast<strategy_kind>(k))) return static_cast<strategy_kind>(k);
    throw CLI::ValidationError("--strategy",
                               fmt::format("there is no strategy '{}'; say mix, random-walk, pct, "
                                           "pos, hold, in-order or reversed",
                                           name));
}

bool colours() {
    const char* no = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return isatty(1) == 1 && (no == nullptr || *no == 0) &&
           (term == nullptr || std::string(term) != "dumb");
}

void print_story(const finding& f) {
    if (colours())
        fmt::print("\033[1;31m{}\033[0m: \033[1m{}\033[0m\n", kind_name(f.kind), f.message);
    else fmt::print("{}: {}\n", kind_name(f.kind), f.message);
    fmt::print("{}\n", story_with_replay(f));
    std::fflush(stdout);
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    if (!out.flush()) throw std::runtime_error(fmt::format("cannot write '{}'", path));
}

std::string json_of(const check_report& r) {
    auto findings = nlohmann::json::array();
    for (const auto& f : r.findings) findings.push_back(nlohmann::json::parse(to_json(f)));
    const nlohmann::json j = {{"version", 1},
                              {"program", r.program.path},
                              {"arguments", r.arguments},
                              {"seed", r.seed},
                              {"schedules", r.schedules},
                              {"seconds", r.seconds},
                              {"engine", "threads-fork"},
                              {"limits", r.limits},
                              {"findings", findings}};
    return j.dump(2) + "\n";
}

void summarise(const check_report& r, const arguments& a) {
    fmt::print("{} schedules of {} in {:.1f} s (seed {}, {}; {} threads, {} steps in the "
               "unperturbed run)\n",
               r.schedules,
               std::filesystem::path(r.program.path).filename().string(),
               r.seconds,
               r.seed,
               a.strategy,
               r.threads,
               r.steps);
    if (r.threads < 2)
        fmt::print("the program used one thread only: there was nothing to schedule, and nothing "
                   "was tested\n");
    else if (r.findings.empty())
        fmt::print("no bug was found in these schedules; that is no proof that there is none\n");
    else
        fmt::print("{} distinct {} found\n",
                   r.findings.size(),
                   r.findings.size() == 1 ? "bug was" : "bugs were");
    for (const auto& l : r.limits) fmt::print("limit: {}\n", l);
}

int do_check(arguments& a) {
    a.check.seconds = seconds_of(a.time);
    if (a.check.schedules == 0)
        throw CLI::ValidationError("--schedules", "0 schedules check nothing; say at least 1");
    a.check.strategy = strategy_named(a.strategy);
    const program_file program = examine(a.program.front());
    const std::vector<std::string> rest(a.program.begin() + 1, a.program.end());
    const bool bar = isatty(2) == 1;
    double shown = 0;
    const auto begin = std::chrono::steady_clock::now();
    const check_report r = explore(program, rest, a.check, [&](const finding* f, u64 schedules) {
        if (bar) fmt::print(stderr, "\r\033[K");
        if (f != nullptr) print_story(*f);
        const double now =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (now - shown < (bar ? 0.1 : 10)) return;
        shown = now;
        fmt::print(stderr, "{} of {} schedules{}", schedules, a.check.schedules, bar ? "" : "\n");
        std::fflush(stderr);
    });
    if (bar) fmt::print(stderr, "\r\033[K");
    if (!a.json.empty()) write_text(a.json, json_of(r));
    if (!a.html.empty()) write_text(a.html, to_html(r.findings, "heddle check " + program.path));
    if (r.fails_alone) {
        fmt::print(stderr,
                   "heddle: '{}' fails when it runs alone and unperturbed: {}\n",
                   a.program.front(),
                   r.alone);
        return fails_alone;
    }
    summarise(r, a);
    if (r.was_interrupted) return was_interrupted;
    return r.findings.empty() ? nothing_found : bug_found;
}

finding load_fitting(const std::string& folder) {
    finding f = load(folder);
    const program_file now = examine(f.program);
    if (now.digest != f.digest)
        throw bad_finding(
            fmt::format("'{}' has been built anew since (build-id {} then, {} now): the finding "
                        "does not fit it; check again",
                        f.program,
                        f.build_id.empty() ? "none" : f.build_id,
                        now.build_id.empty() ? "none" : now.build_id));
    return f;
}

int do_replay(const arguments& a) {
    const finding f = load_fitting(a.finding);
    session s(examine(f.program), f.arguments, true);
    prepare_replay(s.shared(), f);
    if (a.gdb) {
        fmt::print("{}", story_with_replay(f));
        std::fflush(stdout);
        s.debug(f.choices, f.checkpoints, f.first_step);
        return bug_found;
    }
    s.replay(f.choices, f.checkpoints, false);
    const run_result& r = s.shared().result;
    if (r.kind == failure::diverged) {
        fmt::print(
            stderr,
            "heddle: the run diverged at step {} from what was recorded: the program depends on "
            "something else than its schedule (input, files, environment?)\n",
            r.diverged_step);
        return cannot_check;
    }
    if (!shows(s.shared(), f.kind, f.signature)) {
        fmt::print("the {} did not happen again\n", kind_name(f.kind));
        return nothing_found;
    }
    fmt::print("the {} happened again\n", kind_name(f.kind));
    print_story(f);
    return bug_found;
}

int do_explain(const arguments& a) {
    const finding f = load(a.finding);
    print_story(f);
    if (!a.json.empty()) write_text(a.json, nlohmann::json::parse(to_json(f)).dump(2) + "\n");
    if (!a.html.empty()) write_text(a.html, to_html({f}, "heddle: " + f.message));
    if (!a.trace.empty())
        std::filesystem::copy_file(
            f.path + "/trace.json", a.trace, std::filesystem::copy_options::overwrite_existing);
    return nothing_found;
}

void on_interrupt(int) {
    interrupt_requested = true;
}

CLI::App* add_commands(CLI::App& app, arguments& a) {
    app.require_subcommand(1);
    CLI::App* check =
        app.add_subcommand("check", "run a program under many schedules and tell what breaks");
    check->add_option("--schedules", a.check.schedules, "how many at most (default 10000)");
    check->add_option("--time", a.time, "how long at most: 30s, 500ms, 2m (default 30s)");
    check->add_option("--seed", a.check.seed, "same seed, same schedules (default 1)");
    check->add_option("--strategy",
                      a.strategy,
                      "mix, random-walk, pct, pos, hold, in-order, reversed (default mix)");
    check->add_option("--json", a.json, "write a report as JSON to this file");
    check->add_option("--html", a.html, "write a report as one HTML page to this file");
    check->add_option("--out", a.check.out, "folder for findings (default heddle-out)");
    check->add_option("PROGRAM", a.program, "the program and its arguments, after --")->required();
    check->positionals_at_end();
    CLI::App* replay = app.add_subcommand("replay", "run the one failing schedule again, exactly");
    replay->add_option("FINDING", a.finding, "folder of the finding")->required();
    replay->add_flag("--gdb", a.gdb, "under gdb, stopped at the first step of the story");
    CLI::App* explain = app.add_subcommand("explain", "tell the story of a finding");
    explain->add_option("FINDING", a.finding, "folder of the finding")->required();
    explain->add_option("--json", a.json, "write it as JSON to this file");
    explain->add_option("--html", a.html, "write it as one HTML page to this file");
    explain->add_option("--trace", a.trace, "write the run in Chrome's trace format to this file");
    return check;
}

int run(int argc, char** argv) {
    CLI::App app{
        "heddle finds the thread schedule that breaks a program, tells it and replays it.\n"
        "PROGRAM is any program built with g++ -fsanitize=thread -g (clang: also -shared-libsan).\n"
        "Exit status: 0 nothing found, 1 bug found, 2 usage, 3 cannot be checked, 4 fails alone, "
        "70 internal error, 130 interrupted.",
        "heddle"};
    arguments a;
    add_commands(app, a);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        app.exit(e, std::cerr, std::cerr);
        return usage;
    }
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
    try {
        if (app.got_subcommand("check")) return do_check(a);
        if (app.got_subcommand("replay")) return do_replay(a);
        return do_explain(a);
    } catch (const CLI::ValidationError& e) {
        fmt::print(stderr, "heddle: {}\n", e.what());
        return usage;
    } catch (const not_checkable& e) {
        fmt::print(stderr, "heddle: cannot check this program: {}\n", e.what());
        return cannot_check;
    } catch (const bad_finding& e) {
        fmt::print(stderr, "heddle: {}\n", e.what());
        return cannot_check;
    } catch (const interrupted&) {
        return was_interrupted;
    }
}

} // namespace
} // namespace heddle::check

int main(int argc, char** argv) {
    try {
        return heddle::check::run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "heddle: internal error: %s\n", e.what());
        return 70;
    }
}
