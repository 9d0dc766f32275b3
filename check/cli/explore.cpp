#include "explore.hpp"

#include "../report/story.hpp"
#include "detective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace heddle::check {

namespace {

using steady = std::chrono::steady_clock;

constexpr u64 batch = 32;
constexpr u64 schedules_before_giving_up = 20;
constexpr double grace_seconds = 1; // over the time limit, for a run to end by itself
constexpr u64 first_step_limit = 40'000'000;
constexpr u64 steps_beyond = 100'000;
constexpr u64 steps_factor = 20;
constexpr i64 fixed_wall_clock_ns = 1'750'000'000'000'000'000; // every run begins at this moment
constexpr i64 fixed_steady_clock_ns = 1'000'000'000'000;

class explorer {
public:
    explorer(const program_file& program,
             const std::vector<std::string>& arguments,
             const check_options& options,
             const listener& listen)
        : program_(program), options_(options), listen_(listen),
          session_(program, arguments, session::output::discarded) {
        report_.told.program = program.path;
        report_.told.arguments = arguments;
        report_.told.seed = options.seed;
        run_config& c = session_.shared().config;
        c.seed = options.seed;
        c.strategy = options.strategy;
        c.step_limit = first_step_limit;
        c.points = 100;
        c.wall_base_ns = fixed_wall_clock_ns;
        c.steady_base_ns = fixed_steady_clock_ns;
    }

    check_report run() {
        try {
            search();
        } catch (const interrupted&) {
            report_.was_interrupted = true;
        }
        report_.told.seconds = elapsed();
        list_limits();
        return std::move(report_);
    }

private:
    double elapsed() const { return std::chrono::duration<double>(steady::now() - start_).count(); }
    run_result& result() { return session_.shared().result; }
    run_config& config() { return session_.shared().config; }

    void search();
    bool first_run();
    bool fails_always(const run_result& first);
    bool spent() const;
    void self_check();
    void take_news();
    void pursue(const raw_failure& raw);
    void list_limits();

    const program_file program_;
    const check_options options_;
    const listener& listen_;
    session session_;
    check_report report_;
    steady::time_point start_ = steady::now();
    u64 stop_at_ = ~u64{0}; // schedules, once something was found
    std::unique_ptr<detective> detective_;
    bool nondeterministic_ = false;
    u64 not_looked_into_ = 0; // failures seen when the time was up
};

bool explorer::spent() const {
    const u64 done = report_.told.schedules;
    return done >= options_.schedules || done >= stop_at_ || elapsed() >= options_.seconds;
}

/// The run without any perturbation: the measure of all others. False when it cannot be used.
bool explorer::first_run() {
    session_.run(1, 1);
    report_.told.schedules = 1;
    detective_ = std::make_unique<detective>(session_, program_, report_.told.arguments, options_);
    const run_result r = result();
    if (r.kind == failure::hung) throw not_checkable(r.text);
    if (r.kind == failure::endless)
        throw not_checkable("the program does not end by itself: it made "
                            "40,000,000 steps; give it a smaller input");
    report_.told.threads = r.threads;
    report_.steps = r.steps;
    const bool fails = r.kind == failure::crash || r.kind == failure::assertion ||
                       r.kind == failure::uncaught_exception ||
                       (r.kind == failure::none && r.exit_status != 0);
    if (fails && r.races == 0 && fails_always(r)) {
        report_.fails_alone = true;
        report_.alone =
            r.kind == failure::none ? fmt::format("exit status {}", r.exit_status) : end_of(r);
        return false;
    }
    const bool depends = fails && r.races == 0; // on the schedule: a bug that shows at once
    if (!depends) config().expected_exit = r.kind == failure::none ? r.exit_status : 0;
    config().step_limit = r.steps * steps_factor + steps_beyond;
    config().points = std::max<u64>(r.points, 2);
    constexpr double slower = 50, least = 2, most = 60; // seconds
    session_.let_compute(std::clamp(elapsed() * slower, least, most));
    if (depends) {
        session_.run(1, 1); // now with the exit status that it ought to have
        pursue({result().kind, result().signature, 1, result().choices});
    } else {
        take_news();
    }
    return true;
}

/// Whether the program fails under other schedules like under the first. If not, the exit status
/// of the first that does not fail is what others are measured by.
bool explorer::fails_always(const run_result& first) {
    if (first.threads < 2) return true;
    const std::vector<u64> known(session_.shared().known, session_.shared().known + max_known);
    bool always = true;
    for (u64 n = 2; n < 2 + schedules_before_giving_up && always; ++n) {
        session_.run(n, 1);
        const run_result& r = result();
        if (r.kind != failure::none || r.exit_status == first.exit_status) continue;
        always = false;
        config().expected_exit = r.exit_status;
    }
    if (!always) std::copy(known.begin(), known.end(), session_.shared().known);
    return always;
}

void explorer::search() {
    if (!first_run()) return;
    if (report_.told.threads < 2) return;
    const std::chrono::duration<double> allowed(options_.seconds + grace_seconds);
    const auto end = start_ + std::chrono::duration_cast<steady::duration>(allowed);
    while (!spent()) {
        u64& done = report_.told.schedules;
        const u64 left = std::min(options_.schedules, stop_at_) - done;
        const u64 first = done + 1;
        session_.end_runs_at(end);
        session_.run(first, first == 3 ? 1 : std::min(left, batch));
        session_.end_runs_at(steady::time_point::max());
        done = config().schedule;
        if (first == 3) self_check();
        report_.told.threads = std::max(report_.told.threads, result().threads);
        if (result().points > 2) config().points = result().points;
        take_news();
        report_.told.seconds = elapsed();
        listen_(report_.told, false);
    }
}

/// One schedule twice: when the two runs differ, the program depends on what we do not control.
void explorer::self_check() {
    const run_result first = result();
    if (first.kind != failure::none) return;
    session_.run(3, 1);
    const run_result& again = result();
    nondeterministic_ = again.hash != first.hash || again.steps != first.steps;
}

/// Races first: what else goes wrong in the same run may be their doing.
void explorer::take_news() {
    const run_result r = result();
    if (r.news == 0) return;
    if (r.kind == failure::hung) {
        return;
    }
    std::vector<raw_failure> failures;
    for (const bool nameless : {false, true}) // of two that are one bug, tell what has a name
        for (u32 i = 0; i < r.races && i < max_races; ++i) {
            const auto& race = r.race[i];
            const named what = detective_->names().variable_at(race.second.address, race.what);
            if (what.nameless == nameless)
                failures.push_back(
                    {failure::data_race, race.signature, config().schedule, race.choices});
        }
    if (r.kind != failure::none && r.kind <= failure::livelock)
        failures.push_back({r.kind, r.signature, config().schedule, r.choices});
    const std::vector<choice> choices(session_.shared().choices_out,
                                      session_.shared().choices_out +
                                          std::min(r.choices, max_choices));
    for (const auto& raw : failures) {
        if (elapsed() >= options_.seconds && !report_.told.findings.empty()) {
            ++not_looked_into_;
            continue;
        }
        std::memcpy(session_.shared().choices_out, choices.data(), choices.size() * sizeof(choice));
        pursue(raw);
    }
}

void explorer::pursue(const raw_failure& raw) {
    summary& told = report_.told;
    auto found = detective_->investigate(raw);
    if (!found) return;
    told.findings.push_back(std::move(*found));
    if (stop_at_ == ~u64{0}) stop_at_ = std::max<u64>(2 * told.schedules, told.schedules + 200);
    listen_(told, true);
}

/// What is to be said of modules whose accesses are not seen; empty when there is none.
std::string uninstrumented(const channel& c) {
    constexpr u64 named = 3;
    std::string list;
    u64 n = 0;
    for (u32 i = 0; i < c.modules; ++i)
        if (c.module[i].instrumented == 0 && ++n <= named)
            list +=
                (n == 1 ? "" : ", ") + std::filesystem::path(c.module[i].path).filename().string();
    if (n == 0) return list;
    if (n > named) list += fmt::format(" and {}", count(n - named, "other module"));
    return list + (n == 1 ? " is not instrumented: its" : " are not instrumented: their") +
           " accesses are not seen, nor what is ordered in there";
}

void explorer::list_limits() {
    const u64 bits = session_.shared().limits;
    const auto say = [&](u64 bit, const char* text) {
        if ((bits & bit) != 0) report_.told.limits.push_back(text);
    };
    report_.told.limits.push_back(
        "memory is sequentially consistent: reorderings of weak atomics are not tried");
    say(limit_fork, "the program forks; the children ran uncontrolled");
    say(limit_foreign_thread, "a thread that heddle did not see created ran uncontrolled");
    say(limit_raw_clone, "the program makes threads or processes by raw system calls");
    say(limit_cancel, "pthread_cancel is answered with ENOSYS");
    say(limit_clock, "the program reads the clock; virtual time was used");
    say(limit_random, "the program asks for random numbers; they were the same in every run");
    say(limit_threads, "the program made more than 1024 threads; creation failed with EAGAIN");
    if (program_.input.empty())
        say(limit_input,
            "the program reads standard input, which is empty here; give it a file: heddle check "
            "-- PROGRAM < FILE");
    say(limit_fence_pi, "a futex operation without a model was refused (ENOSYS)");
    if (const std::string them = uninstrumented(session_.shared()); !them.empty())
        report_.told.limits.push_back(them);
    if (session_.given_up() > 0)
        report_.told.limits.push_back(fmt::format(
            "{} given up: {}", count(session_.given_up(), "run"), session_.why_given_up()));
    if (not_looked_into_ > 0)
        report_.told.limits.push_back(fmt::format("the time was up: {} more not looked into",
                                                  count(not_looked_into_, "failure")));
    if (nondeterministic_)
        report_.told.limits.push_back(
            "two runs of one schedule differed: the program depends on something "
            "that heddle does not control");
    if (detective_ == nullptr) return;
    if (detective_->unrepeatable() > 0)
        report_.told.limits.push_back(
            fmt::format("{} did not happen again when repeated: not reported",
                        count(detective_->unrepeatable(), "failure")));
    if (!detective_->names().has_debug_info())
        report_.told.limits.push_back(
            "the program has no debug information: build it with -g for names and lines");
}

} // namespace

bool shows(const channel& c, failure kind, u64 signature) {
    const run_result& r = c.result;
    if (kind != failure::data_race) return r.kind == kind && r.signature == signature;
    for (u32 i = 0; i < r.races && i < max_races; ++i)
        if (r.race[i].signature == signature) return true;
    return false;
}

void prepare_replay(channel& c, const finding& f) {
    c.config.seed = f.seed;
    c.config.schedule = f.schedule;
    c.config.step_limit = f.step_limit;
    c.config.wanted = f.signature;
    c.config.expected_exit = f.expected_exit;
    c.config.wall_base_ns = f.wall_base_ns;
    c.config.steady_base_ns = f.steady_base_ns;
}

check_report explore(const program_file& program,
                     const std::vector<std::string>& arguments,
                     const check_options& options,
                     const listener& listen) {
    return explorer(program, arguments, options, listen).run();
}

} // namespace heddle::check
