#include "explore.hpp"

#include "../report/trace.hpp"
#include "../search/minimise.hpp"
#include "../search/strategy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace heddle::check {

namespace {

using steady = std::chrono::steady_clock;

constexpr u64 batch = 32;
constexpr int minimise_budget = 400; // runs
constexpr double minimise_seconds = 3;
constexpr int story_budget = 60; // runs to find a telling schedule for a race
constexpr u64 first_step_limit = 40'000'000;
constexpr u64 steps_beyond = 100'000;
constexpr u64 steps_factor = 20;
constexpr i64 fixed_wall_clock_ns = 1'750'000'000'000'000'000; // every run begins at this moment
constexpr i64 fixed_steady_clock_ns = 1'000'000'000'000;

/// A failure as one run showed it, before it is made into a finding.
struct raw_failure {
    failure kind;
    u64 signature, schedule, choices;
};

class explorer {
public:
    explorer(const program_file& program,
             const std::vector<std::string>& arguments,
             const check_options& options,
             const listener& listen)
        : options_(options), listen_(listen), session_(program, arguments, false) {
        report_.program = program;
        report_.arguments = arguments;
        report_.seed = options.seed;
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
        report_.seconds = elapsed();
        list_limits();
        return std::move(report_);
    }

private:
    double elapsed() const { return std::chrono::duration<double>(steady::now() - start_).count(); }
    run_result& result() { return session_.shared().result; }
    run_config& config() { return session_.shared().config; }

    void search();
    bool first_run();
    bool spent() const;
    void self_check();
    void take_news();
    void take(const raw_failure& raw);
    bool reproduces(finding& f, std::vector<choice>& choices, bool record);
    void shorten(finding& f);
    void find_telling_schedule(finding& f);
    void list_limits();
    std::string identity(const finding& f);

    const check_options options_;
    const listener& listen_;
    session session_;
    check_report report_;
    steady::time_point start_ = steady::now();
    u64 stop_at_ = ~u64{0}; // schedules, once something was found
    std::set<std::string> told_;
    std::unique_ptr<symbols> names_;
    std::string given_up_; // why the first run was
    u32 unrepeatable_ = 0;
    bool nondeterministic_ = false;
};

bool explorer::spent() const {
    return report_.schedules >= options_.schedules || report_.schedules >= stop_at_ ||
           elapsed() >= options_.seconds;
}

/// The run without any perturbation: the measure of all others. False when it cannot be used.
bool explorer::first_run() {
    session_.run(1, 1);
    report_.schedules = 1;
    names_ = std::make_unique<symbols>(session_.shared());
    const run_result r = result();
    if (r.kind == failure::hung) throw not_checkable(r.text);
    if (r.kind == failure::endless)
        throw not_checkable("the program does not end by itself: it made "
                            "40,000,000 steps; give it a smaller input");
    report_.threads = r.threads;
    report_.steps = r.steps;
    report_.points = r.points;
    const bool alone = r.races == 0 && (r.kind == failure::crash || r.kind == failure::assertion ||
                                        r.kind == failure::uncaught_exception);
    if (alone || (r.kind == failure::none && r.exit_status != 0 && r.races == 0)) {
        report_.fails_alone = true;
        report_.alone = r.kind == failure::none ? fmt::format("exit status {}", r.exit_status)
                        : r.text[0] != 0        ? std::string(r.text)
                                                : fmt::format("signal {}", r.signal);
        return false;
    }
    config().expected_exit = r.kind == failure::none ? r.exit_status : 0;
    config().step_limit = r.steps * steps_factor + steps_beyond;
    config().points = std::max<u64>(r.points, 2);
    take_news();
    return true;
}

void explorer::search() {
    if (!first_run()) return;
    if (report_.threads < 2) return;
    while (!spent()) {
        const u64 left = std::min(options_.schedules, stop_at_) - report_.schedules;
        const u64 first = report_.schedules + 1;
        session_.run(first, first == 3 ? 1 : std::min(left, batch));
        report_.schedules = config().schedule;
        if (first == 3) self_check();
        report_.threads = std::max(report_.threads, result().threads);
        if (result().points > 2) config().points = result().points;
        take_news();
        listen_(nullptr, report_.schedules);
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

void explorer::take_news() {
    const run_result r = result();
    if (r.news == 0) return;
    if (r.kind == failure::hung) {
        given_up_ = r.text;
        return;
    }
    std::vector<raw_failure> failures;
    if (r.kind != failure::none && r.kind <= failure::livelock)
        failures.push_back({r.kind, r.signature, config().schedule, r.choices});
    for (u32 i = 0; i < r.races && i < max_races; ++i)
        failures.push_back(
            {failure::data_race, r.race[i].signature, config().schedule, r.race[i].choices});
    const std::vector<choice> choices(session_.shared().choices_out,
                                      session_.shared().choices_out +
                                          std::min(r.choices, max_choices));
    for (const auto& raw : failures) {
        std::memcpy(session_.shared().choices_out, choices.data(), choices.size() * sizeof(choice));
        take(raw);
    }
}

bool explorer::reproduces(finding& f, std::vector<choice>& choices, bool record) {
    session_.replay(choices, {}, record);
    const channel& c = session_.shared();
    if (!shows(c, f.kind, f.signature)) return false;
    choices.assign(c.choices_out, c.choices_out + std::min(c.result.choices, max_choices));
    return true;
}

void explorer::shorten(finding& f) {
    const double until = elapsed() + minimise_seconds;
    const trial fails = [&](std::vector<choice>& candidate) {
        return elapsed() < until && reproduces(f, candidate, false);
    };
    f.choices = minimise(std::move(f.choices), fails, minimise_budget);
}

/// A race is often seen in a run where it does no harm. Looks for one in which an update gets lost
/// by it, since that is what people understand.
void explorer::find_telling_schedule(finding& f) {
    const u64 address = focus_of(session_.shared(), f.kind, f.signature);
    if (address == 0 || shows_lost_update(session_.shared(), address)) return;
    const run_config before = config();
    // These runs find what the search shall find again.
    std::vector<u64> known(session_.shared().known, session_.shared().known + max_known);
    finding better = f;
    const double until = elapsed() + minimise_seconds;
    for (int i = 0; i < story_budget && elapsed() < until; ++i) {
        config().strategy = i % 2 == 0 ? strategy_kind::random_walk : strategy_kind::hold;
        config().record = 1;
        session_.run(1'000'000 + static_cast<u64>(i), 1);
        const channel& c = session_.shared();
        const u64 there = focus_of(c, f.kind, f.signature);
        const bool lost = shows_lost_update(c, there == 0 ? address : there);
        if (!lost) continue;
        better.choices.assign(c.choices_out,
                              c.choices_out + std::min(c.result.choices, max_choices));
        config() = before;
        const trial still_lost = [&](std::vector<choice>& candidate) {
            if (!reproduces(better, candidate, true)) return false;
            const u64 now = focus_of(session_.shared(), f.kind, f.signature);
            return now != 0 && shows_lost_update(session_.shared(), now);
        };
        if (!still_lost(better.choices)) continue;
        f.choices = minimise(better.choices, still_lost, minimise_budget / 2);
        break;
    }
    config() = before;
    std::copy(known.begin(), known.end(), session_.shared().known);
}

void explorer::take(const raw_failure& raw) {
    finding f;
    f.program = report_.program.path;
    f.arguments = report_.arguments;
    f.build_id = report_.program.build_id;
    f.digest = report_.program.digest;
    f.seed = options_.seed;
    f.schedule = raw.schedule;
    f.strategy = name_of(result().strategy);
    f.strategy = name_of(strategy_of(options_.strategy, options_.seed, raw.schedule));
    f.kind = raw.kind;
    f.signature = raw.signature;
    f.step_limit = config().step_limit;
    f.expected_exit = config().expected_exit;
    f.wall_base_ns = fixed_wall_clock_ns;
    f.steady_base_ns = fixed_steady_clock_ns;
    const channel& c = session_.shared();
    f.choices.assign(c.choices_out, c.choices_out + std::min<u64>(raw.choices, max_choices));
    const u64 schedule = config().schedule;
    std::vector<choice> whole = f.choices;
    if (!reproduces(f, whole, true)) {
        ++unrepeatable_;
        return;
    }
    tell(f, session_.shared(), *names_);
    if (!told_.insert(identity(f)).second) {
        config().schedule = schedule;
        return;
    }
    shorten(f);
    reproduces(f, f.choices, true);
    if (f.kind == failure::data_race) {
        find_telling_schedule(f);
        reproduces(f, f.choices, true);
    }
    f.checkpoints.assign(c.checkpoints_out,
                         c.checkpoints_out + std::min(c.result.checkpoints, max_checkpoints));
    tell(f, c, *names_);
    save(f, options_.out);
    save_trace(f, c, *names_);
    config().schedule = schedule;
    report_.findings.push_back(f);
    if (stop_at_ == ~u64{0})
        stop_at_ = std::max<u64>(2 * report_.schedules, report_.schedules + 200);
    listen_(&report_.findings.back(), report_.schedules);
}

/// The same text for the same bug, however it came about. Call after tell().
std::string explorer::identity(const finding& f) {
    const run_result& r = result();
    std::set<std::string> places;
    const auto add = [&](const frames& w) {
        const source_place p = names_->place_of(w);
        places.insert(fmt::format("{}:{}", p.file, p.line));
    };
    std::string text = kind_name(f.kind);
    if (f.kind == failure::deadlock || f.kind == failure::lost_wakeup) {
        for (u32 i = 0; i < r.blocked && i < max_blocked; ++i) {
            const auto& b = r.block[i];
            const bool tells = b.what != wait_for::join &&
                               (f.kind == failure::deadlock || b.what == wait_for::condition ||
                                b.what == wait_for::futex);
            if (tells) add(b.where);
        }
    } else if (f.kind == failure::use_after_free || f.kind == failure::double_free) {
        add(r.other.where);
        text = "use-after-free"; // the same pointer too many
    } else if (f.kind == failure::crash) {
        add(r.at.where);
    } else if (f.kind == failure::data_race) {
        text += f.variable;
    } else {
        text += f.message;
    }
    for (const auto& p : places) text += " " + p;
    return text;
}

void explorer::list_limits() {
    const u64 bits = session_.shared().limits;
    const auto say = [&](u64 bit, const char* text) {
        if ((bits & bit) != 0) report_.limits.push_back(text);
    };
    report_.limits.push_back(
        "memory is sequentially consistent: reorderings of weak atomics are not tried");
    say(limit_fork, "the program forks; the children ran uncontrolled");
    say(limit_foreign_thread, "a thread that heddle did not see created ran uncontrolled");
    say(limit_raw_clone, "the program makes threads or processes by raw system calls");
    say(limit_cancel, "pthread_cancel is answered with ENOSYS");
    say(limit_clock, "the program reads the clock; virtual time was used");
    say(limit_random, "the program asks for random numbers; they were the same in every run");
    say(limit_threads, "the program made more than 1024 threads; creation failed with EAGAIN");
    say(limit_fence_pi, "a futex operation without a model was refused (ENOSYS)");
    if ((bits & limit_uninstrumented) != 0)
        for (u32 i = 0; i < session_.shared().modules; ++i)
            if (session_.shared().module[i].instrumented == 0)
                report_.limits.push_back(
                    fmt::format("{} is not instrumented: its accesses are not seen",
                                session_.shared().module[i].path));
    if (session_.given_up() > 0)
        report_.limits.push_back(
            fmt::format("{} schedules were given up: {}", session_.given_up(), given_up_));
    if (nondeterministic_)
        report_.limits.push_back(
            "two runs of one schedule differed: the program depends on something "
            "that heddle does not control");
    if (unrepeatable_ > 0)
        report_.limits.push_back(
            fmt::format("{} failures did not happen again when repeated, and are not "
                        "reported",
                        unrepeatable_));
    if (names_ != nullptr && !names_->has_debug_info())
        report_.limits.push_back(
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
