// The program `heddle`: what its subcommands do, what is printed, exit codes.
#include "options.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

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

constexpr std::size_t told_in_full = 3; // findings; of the others one line each

bool wants_colour(const std::string& when) {
    if (when != "auto") return when == "always";
    const char* no = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return isatty(1) == 1 && (no == nullptr || *no == 0) &&
           (term == nullptr || std::string(term) != "dumb");
}

std::size_t terminal_width() {
    constexpr std::size_t otherwise = 100, least = 60;
    winsize size{};
    if (isatty(1) != 1 || ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return otherwise;
    return std::clamp<std::size_t>(size.ws_col, least, otherwise);
}

paper paper_for(const command_line& line, const char* tool) {
    return {terminal_width(), wants_colour(line.colour), shell_word(tool)};
}

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

void write_text(const std::string& path, const std::string& text) {
    if (path.empty()) return;
    std::ofstream out(path);
    out << text;
    if (!out.flush()) throw std::runtime_error(fmt::format("cannot write '{}'", path));
}

/// Says so before the work and not after it.
void expect_writable(const char* option, const std::string& path) {
    if (path.empty()) return;
    std::ofstream out(path, std::ios::app);
    if (!out) throw bad_value(fmt::format("{}: '{}' cannot be written", option, path));
}

void write_reports(const command_line& line, const summary& s, const paper& p) {
    write_text(line.json, to_json(s));
    write_text(line.html, to_html(s, p));
    write_text(line.sarif, to_sarif(s, std::filesystem::current_path().string()));
}

/// One line on the terminal, drawn anew ten times a second; elsewhere a line every ten seconds.
class progress {
public:
    void show(const summary& s, u64 schedules, u64 of, double seconds) {
        if (seconds - shown_ < (bar_ ? 0.1 : 10)) return;
        shown_ = seconds;
        fmt::print(stderr,
                   "{}{} of {} schedules, {:.0f} s, {}{}",
                   bar_ ? "\r\033[K" : "heddle: ",
                   schedules,
                   of,
                   seconds,
                   count(s.findings.size(), "bug"),
                   bar_ ? "" : "\n");
        std::fflush(stderr);
    }
    void clear() const {
        if (bar_) fmt::print(stderr, "\r\033[K");
    }

private:
    const bool bar_ = isatty(2) == 1;
    double shown_ = 0;
};

void summarise(const check_report& r, const command_line& line, const paper& p) {
    const summary& s = r.told;
    std::string out;
    const std::size_t more =
        s.findings.size() > told_in_full ? s.findings.size() - told_in_full : 0;
    if (more > 0) {
        out += fmt::format("{} more {}:\n", more, more == 1 ? "finding" : "findings");
        for (std::size_t i = told_in_full; i < s.findings.size(); ++i)
            out += fold("  ",
                        fmt::format("{} ({} explain {})",
                                    s.findings[i].told.claim,
                                    p.tool,
                                    shell_word(s.findings[i].path)),
                        p.width);
        out += "\n";
    }
    if (s.threads < 2)
        out += fold("",
                    "Nothing was tested: the program used one thread only, so there was nothing to "
                    "schedule.",
                    p.width);
    else if (s.findings.empty())
        out +=
            fold("",
                 fmt::format("No bug was found in {}. That is no proof that there is none: other "
                             "schedules, and other inputs, were not run.",
                             count(s.schedules, "schedule")),
                 p.width);
    else out += fmt::format("{}.\n", bugs_found(s.findings));
    out += fold("Ran:         ",
                fmt::format("{} of {} in {:.1f} s (seed {}, strategy {}); {}, {} when undisturbed",
                            count(s.schedules, "schedule"),
                            file_name(s.program),
                            s.seconds,
                            s.seed,
                            line.strategy,
                            count(s.threads, "thread"),
                            count(r.steps, "step")),
                p.width);
    for (const auto& l : s.limits) out += fold("Not covered: ", l, p.width);
    print(out);
}

/// A file that was given to us as standard input is the program's, in each run from its beginning.
/// What comes through a pipe or from a terminal is not: it cannot be read twice, and may never end.
std::string given_input() {
    struct stat input{};
    const std::string path = fmt::format("/proc/{}/fd/0", getpid());
    const bool file = fstat(0, &input) == 0 && S_ISREG(input.st_mode);
    return file && ::access(path.c_str(), R_OK) == 0 ? path : "";
}

int do_check(command_line& line, const paper& p) {
    expect_writable("--json", line.json);
    expect_writable("--html", line.html);
    expect_writable("--sarif", line.sarif);
    program_file program = examine(line.program.front());
    program.input = given_input();
    const std::vector<std::string> rest(line.program.begin() + 1, line.program.end());
    progress bar;
    const auto listen = [&](const summary& s, bool found) {
        if (!found) return bar.show(s, s.schedules, line.check.schedules, s.seconds);
        bar.clear();
        if (s.findings.size() <= told_in_full) print(to_text(s.findings.back(), p) + "\n");
    };
    const check_report r = explore(program, rest, line.check, listen);
    bar.clear();
    write_reports(line, r.told, p);
    if (r.fails_alone) {
        fmt::print(
            stderr,
            "heddle: '{}' fails whatever the schedule, alone and unperturbed too: {}. Mend that "
            "first, or give it the arguments, and the file as standard input, that it needs.\n",
            line.program.front(),
            r.alone);
        return fails_alone;
    }
    if (r.was_interrupted)
        fmt::print(stderr, "heddle: interrupted; this is what there was until then\n");
    summarise(r, line, p);
    if (r.was_interrupted) return was_interrupted;
    return r.told.findings.empty() ? nothing_found : bug_found;
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

int do_replay(const command_line& line, const paper& p) {
    const finding f = load_fitting(line.finding);
    program_file program = examine(f.program);
    program.input = f.input;
    session s(program, f.arguments, session::output::shown);
    prepare_replay(s.shared(), f);
    if (line.gdb) {
        print(to_text(f, p));
        s.debug(f.choices, f.checkpoints, f.first_step);
        return bug_found;
    }
    const auto how = f.checkpoints.empty() ? replaying::what_fits : replaying::exactly;
    s.replay(f.choices, how, false, f.checkpoints);
    const run_result& r = s.shared().result;
    if (r.kind == failure::diverged || r.kind == failure::hung) {
        fmt::print(
            stderr,
            "heddle: the run diverged at step {} from what was recorded{}: the program depends on "
            "something else than its schedule (input, files, environment?)\n",
            r.kind == failure::hung ? r.steps : r.diverged_step,
            r.kind == failure::hung ? fmt::format(" ({})", r.text) : "");
        return cannot_check;
    }
    const bool again = shows(s.shared(), f.kind, f.signature);
    print(fmt::format(
        "{} {}\n", kind_name(f.kind), again ? "happened again:" : "did not happen again"));
    if (again) print(to_text(f, p));
    return again ? bug_found : nothing_found;
}

int do_explain(const command_line& line, const paper& p) {
    expect_writable("--json", line.json);
    expect_writable("--html", line.html);
    expect_writable("--sarif", line.sarif);
    expect_writable("--trace", line.trace);
    const finding f = load(line.finding);
    print(to_text(f, p));
    summary s;
    s.program = f.program;
    s.arguments = f.arguments;
    s.seed = f.seed;
    s.threads = f.threads;
    s.findings = {f};
    write_text(line.json, to_json(f));
    write_text(line.html, to_html(s, p));
    write_text(line.sarif, to_sarif(s, std::filesystem::current_path().string()));
    if (!line.trace.empty())
        std::filesystem::copy_file(
            f.path + "/trace.json", line.trace, std::filesystem::copy_options::overwrite_existing);
    return nothing_found;
}

void on_interrupt(int) {
    interrupt_requested = true;
}

void take_signals() {
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

int run(int argc, char** argv) {
    CLI::App app{
        "Finds the thread schedule that breaks a program, tells it as a story, replays it.\n",
        "heddle"};
    command_line line;
    describe_commands(app, line);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        fmt::print(stderr, "heddle: {}; heddle --help tells more\n", e.what());
        return usage;
    }
    take_signals();
    try {
        read_values(line);
        const paper p = paper_for(line, argv[0]);
        if (app.got_subcommand("check")) return do_check(line, p);
        if (app.got_subcommand("replay")) return do_replay(line, p);
        return do_explain(line, p);
    } catch (const bad_value& e) {
        fmt::print(stderr, "heddle: {}\n", e.what());
        return usage;
    } catch (const not_checkable& e) {
        fmt::print(stderr, "heddle: cannot check this program: {}\n", e.what());
        return cannot_check;
    } catch (const bad_finding& e) {
        fmt::print(stderr, "heddle: {}\n", e.what());
        return cannot_check;
    } catch (const interrupted&) {
        fmt::print(stderr, "heddle: interrupted\n");
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
        return heddle::check::internal_error;
    }
}
