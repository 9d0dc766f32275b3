#include "detective.hpp"

#include "../report/story.hpp"
#include "../search/fewest.hpp"
#include "../search/minimise.hpp"
#include "../search/strategy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace heddle::check {

namespace {

constexpr int minimise_budget = 400; // runs
constexpr double minimise_seconds = 1.5;
constexpr u64 fewest_budget = 1500; // runs
constexpr u64 most_switches = 3;
constexpr double fewest_seconds = 1;
constexpr int story_budget = 40; // runs to find a telling schedule for a race by chance
constexpr double judge_seconds = 1;

} // namespace

detective::detective(session& runs,
                     const program_file& program,
                     const std::vector<std::string>& arguments,
                     const check_options& options)
    : session_(runs), program_(program), arguments_(arguments), options_(options),
      names_(runs.shared()), out_(options.out) {}

/// A part of what is left of the time for all: with many findings, the later ones get less.
double detective::allowed(double most) const {
    constexpr double parts = 8, least = 0.1;
    return std::clamp((options_.seconds - elapsed()) / parts, least, most);
}

double detective::elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

/// Who writes what when nothing is perturbed: asked once, when there is something to tell.
void detective::learn_background() {
    if (!known_.writers.empty()) return;
    session_.replay({}, replaying::what_fits, true);
    known_ = background_of(session_.shared(), names_);
}

bool detective::reproduces(const finding& f, std::vector<choice>& choices, bool record) {
    config().wanted = f.signature;
    session_.replay(choices, replaying::what_fits, record);
    return has_shown(f, choices);
}

/// Whether the last run shows the failure; then the choices become those that it really made.
bool detective::has_shown(const finding& f, std::vector<choice>& choices) {
    const channel& c = session_.shared();
    if (!shows(c, f.kind, f.signature)) return false;
    choices.assign(c.choices_out, c.choices_out + std::min(c.result.choices, max_choices));
    return true;
}

/// Whether `heddle replay` will see it. It records nothing, which makes fewer accesses points, and
/// knows no race that it would leave out of the result.
bool detective::replays_afresh(finding& f) {
    auto& known = session_.shared().known;
    const std::vector<u64> before(std::begin(known), std::end(known));
    std::fill(std::begin(known), std::end(known), 0);
    const bool seen = reproduces(f, f.choices, false);
    std::copy(before.begin(), before.end(), std::begin(known));
    return seen;
}

void detective::shorten(finding& f) {
    const double until = elapsed() + allowed(minimise_seconds);
    config().wanted = f.signature;
    const trial fails = [&](std::vector<choice>& candidate) {
        if (elapsed() >= until) return false;
        session_.replay(candidate, replaying::by_thread, false);
        return has_shown(f, candidate);
    };
    f.choices = minimise(std::move(f.choices), fails, minimise_budget);
}

/// Looks for a schedule with fewer forced switches, by trying all that have fewer.
void detective::try_fewer(finding& f, const std::function<bool()>& fails) {
    const channel& c = session_.shared();
    reproduces(f, f.choices, true);
    u64 forced = 0;
    for (u32 i = 0; i < c.result.decisions; ++i)
        for (const auto& chosen : f.choices)
            forced += chosen.step == c.decisions[i].step && c.decisions[i].preempts != 0;
    if (forced == 0) return;
    const double until = elapsed() + allowed(fewest_seconds);
    const recorded_trial run = [&](const std::vector<choice>& choices) {
        session_.replay(choices, replaying::what_fits, true);
        attempt a;
        a.fails = fails();
        a.complete = c.result.decisions < max_decisions && c.result.kind <= failure::livelock;
        a.decisions.assign(c.decisions, c.decisions + c.result.decisions);
        return a;
    };
    const fewest_result r = find_fewest(
        run, [&] { return elapsed() < until; }, std::min(forced - 1, most_switches), fewest_budget);
    if (r.found) f.choices = r.choices;
    if (r.exhausted == (r.found ? r.switches : forced)) f.fewer_tried = r.runs;
}

bool detective::loses_update(const finding& f) {
    const u64 there = racy_address(session_.shared(), f.signature);
    return there != 0 && shows_lost_update(session_.shared(), there);
}

/// A race is often seen in a run where it does no harm. Looks for one in which an update gets lost
/// by it, since that is what people understand.
void detective::find_telling_schedule(finding& f) {
    reproduces(f, f.choices, true);
    const u64 address = racy_address(session_.shared(), f.signature);
    const auto still_told = [&] { return shows(session_.shared(), f.kind, f.signature); };
    if (address == 0) return;
    if (shows_lost_update(session_.shared(), address))
        return try_fewer(f, [&] { return still_told() && loses_update(f); });
    const run_config before = config();
    // These runs find what the search shall find again.
    std::vector<u64> known(session_.shared().known, session_.shared().known + max_known);
    finding better = f;
    const double until = elapsed() + allowed(minimise_seconds);
    const channel& c = session_.shared();
    const trial still_lost = [&](std::vector<choice>& candidate) {
        if (elapsed() >= until) return false;
        session_.replay(candidate, replaying::by_thread, true);
        return has_shown(better, candidate) && loses_update(f);
    };
    bool told = false;
    for (int i = 0; i < story_budget && elapsed() < until && !told; ++i) {
        config().strategy = i % 2 == 0 ? strategy_kind::random_walk : strategy_kind::hold;
        config().record = 1;
        session_.run(1'000'000 + static_cast<u64>(i), 1);
        const bool lost = shows_lost_update(c, address); // this run does not tell the race again
        better.choices.assign(c.choices_out,
                              c.choices_out + std::min(c.result.choices, max_choices));
        config() = before;
        if (!lost || !still_lost(better.choices)) continue;
        f.choices = minimise(better.choices, still_lost, minimise_budget / 2);
        try_fewer(f, [&] { return still_told() && loses_update(f); });
        told = true;
    }
    config() = before;
    std::copy(known.begin(), known.end(), session_.shared().known);
    if (!told) try_fewer(f, still_told);
}

finding detective::begin_finding(const raw_failure& raw) {
    finding f;
    f.program = program_.path;
    f.arguments = arguments_;
    f.build_id = program_.build_id;
    f.digest = program_.digest;
    f.input = program_.input;
    f.seed = options_.seed;
    f.schedule = raw.schedule;
    f.strategy = name_of(strategy_of(options_.strategy, options_.seed, raw.schedule));
    f.kind = raw.kind;
    f.signature = raw.signature;
    f.step_limit = config().step_limit;
    f.expected_exit = config().expected_exit;
    f.wall_base_ns = config().wall_base_ns;
    f.steady_base_ns = config().steady_base_ns;
    const channel& c = session_.shared();
    f.choices.assign(c.choices_out, c.choices_out + std::min<u64>(raw.choices, max_choices));
    return f;
}

/// Writes it to the folder asked for, or, where that cannot be written, to a new temporary one.
void detective::keep(finding& f) {
    try {
        save(f, out_);
        return;
    } catch (const std::exception& e) {
        std::string folder =
            (std::filesystem::temp_directory_path() / "heddle-out.XXXXXX").string();
        if (out_ != options_.out || mkdtemp(folder.data()) == nullptr) throw;
        fmt::print(stderr,
                   "heddle: findings cannot be kept in '{}' ({}); they go to '{}'\n",
                   out_,
                   e.what(),
                   folder);
        out_ = folder;
    }
    f.path.clear();
    save(f, out_);
}

void detective::find_cause(finding& f) {
    const run_result& r = result();
    for (u32 i = 0; i < r.races && i < max_races && f.cause.empty(); ++i)
        f.cause = told_.path_of(race_identity(session_.shared(), names_, i));
    // The race's claim and more: "Lost update on `x`: ...; assertion `x == 2` fails".
    const auto claim = claims_.find(f.cause);
    f.follows = claim != claims_.end() && claim_name(f).starts_with(claim->second);
}

/// libstdc++'s std::atomic<std::shared_ptr> gives its lock up without release after a load. That
/// race is the library's own, and nothing that its users do can mend it.
bool detective::is_libraries_own(const finding& f) const {
    const channel& c = session_.shared();
    for (u32 i = 0; i < c.result.races && i < max_races; ++i)
        if (f.kind == failure::data_race && c.result.race[i].signature == f.signature)
            return names_.stands_in(first_access(c, i).where, "_Sp_atomic") &&
                   names_.stands_in(c.result.race[i].second.where, "_Sp_atomic");
    return false;
}

std::optional<finding> detective::investigate(const raw_failure& raw) {
    finding f = begin_finding(raw);
    const channel& c = session_.shared();
    const u64 schedule = config().schedule;
    std::vector<choice> whole = f.choices;
    learn_background();
    const bool again = reproduces(f, whole, true);
    if (again) tell(f, c, names_, known_);
    else ++unrepeatable_;
    identity own = again ? identity_of(f, c, names_, told_) : identity();
    config().schedule = schedule;
    if (!again || is_libraries_own(f)) return std::nullopt;
    if (const std::string before = told_.path_of(own); !before.empty()) {
        told_.add(own, before); // by its other names too
        return std::nullopt;
    }
    shorten(f);
    if (f.kind == failure::data_race) find_telling_schedule(f);
    else try_fewer(f, [&] { return shows(c, f.kind, f.signature); });
    if (!replays_afresh(f)) { // seen in a recorded run only, beside another race
        config().schedule = schedule;
        return std::nullopt;
    }
    reproduces(f, f.choices, true);
    f.checkpoints.assign(c.checkpoints_out,
                         c.checkpoints_out + std::min(c.result.checkpoints, max_checkpoints));
    tell(f, c, names_, known_);
    own.push_back(story_name(f));
    if (const std::string before = told_.path_of(own); !before.empty()) {
        told_.add(own, before);
        config().schedule = schedule;
        return std::nullopt;
    }
    if (f.kind != failure::data_race) find_cause(f);
    const std::string trace = to_trace(c, names_);
    if (f.kind == failure::data_race) {
        if (judge_ == nullptr) judge_ = std::make_unique<judge>(program_, arguments_);
        f.effect = judge_->effect_of(f, allowed(judge_seconds));
    }
    conclude(f);
    keep(f);
    std::ofstream(f.path + "/trace.json") << trace;
    told_.add(own, f.path);
    claims_[f.path] = claim_name(f);
    config().schedule = schedule;
    return f;
}

} // namespace heddle::check
