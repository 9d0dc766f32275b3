#include "judge.hpp"

#include "explore.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::check {

namespace {

constexpr std::size_t most_swaps = 6;
constexpr std::size_t shown_output = 40;

/// The two accesses of the race in the last run; null when it does not show them.
struct accesses {
    const event* first = nullptr;
    const event* second = nullptr;
    std::vector<u64> earlier; // steps at which the first thread did the same before, last first
};

bool is_at(const event& e, u32 thread, u64 pc, u64 address) {
    const u64 size = std::max<u64>(e.size, 1);
    return e.thread == thread && e.where.pc[0] == pc && e.address < address + 8 &&
           address < e.address + size;
}

accesses find_accesses(const channel& c, u64 signature) {
    accesses found;
    const run_result& r = c.result;
    for (u32 i = 0; i < r.races && i < max_races; ++i) {
        const auto& race = r.race[i];
        if (race.signature != signature) continue;
        for (const event* e : recorded_events(c)) {
            const u64 address = race.second.address;
            if (e->step > race.second.step) break;
            if (is_at(*e, race.first.thread, race.first.where.pc[0], address)) {
                found.first = e;
                found.earlier.insert(found.earlier.begin(), e->step);
            }
            if (is_at(*e, race.second.thread, race.second.where.pc[0], address)) found.second = e;
        }
    }
    if (found.earlier.size() > most_swaps) found.earlier.resize(most_swaps);
    return found;
}

std::string quoted_output(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    const bool more = line.size() + 1 < text.size() || line.size() > shown_output;
    line = line.substr(0, shown_output);
    for (char& ch : line)
        if (static_cast<unsigned char>(ch) < ' ') ch = '?';
    return "\"" + line + (more ? " ...\"" : "\"");
}

} // namespace

judge::judge(const program_file& program, const std::vector<std::string>& arguments)
    : session_(program, arguments, session::output::kept) {}

bool judge::run(const finding& f, const std::vector<choice>& choices, outcome& into) {
    prepare_replay(session_.shared(), f);
    session_.replay(choices, replaying::what_fits, true);
    const run_result& r = session_.shared().result;
    into = {r.kind, r.exited != 0 ? r.exit_status : 0, session_.last_output(), end_of(r)};
    return r.kind <= failure::livelock; // else it was not a run of the program
}

bool judge::same(const outcome& a, const outcome& b) {
    return a.kind == b.kind && a.exit_status == b.exit_status &&
           (a.kind != failure::none || a.output == b.output) && a.end == b.end;
}

std::string judge::describe(const outcome& a, const outcome& other) {
    if (a.kind != failure::none && a.kind != failure::exit_code)
        return fmt::format("it fails: {}", a.end);
    if (a.exit_status != other.exit_status && (other.kind == failure::none || a.exit_status != 0))
        return fmt::format("it ends with exit status {}", a.exit_status);
    if (a.output.empty() && other.kind != failure::none) return "all is well";
    return a.output.empty() ? "it prints nothing"
                            : fmt::format("it prints {}", quoted_output(a.output));
}

race_effect judge::effect_of(const finding& f, double seconds) {
    using clock = std::chrono::steady_clock;
    const auto until = clock::now() + std::chrono::duration<double>(seconds);
    outcome told, other, alone;
    if (!run(f, f.choices, told)) return {};
    const accesses found = find_accesses(session_.shared(), f.signature);
    if (found.first == nullptr || found.second == nullptr) return {};
    const u32 first = found.first->thread, second = found.second->thread;
    const u64 pc = found.second->where.pc[0], address = found.second->address;
    race_effect effect;
    outcome differs;
    const auto compare = [&](const outcome& o) {
        ++effect.replays;
        if (effect.changes_result || same(told, o)) return;
        effect.changes_result = true;
        differs = o;
    };
    for (const u64 step : found.earlier) {
        if (effect.changes_result || clock::now() > until) break;
        std::vector<choice> swapped;
        for (const auto& c : f.choices)
            if (c.step < step) swapped.push_back(c);
        swapped.push_back({step, choice::thread, second});
        if (!run(f, swapped, other)) continue;
        u64 now_first = 0, now_second = 0; // steps of the two accesses in this run
        for (const event* e : recorded_events(session_.shared())) {
            if (e->step < step) continue;
            if (now_second == 0 && is_at(*e, second, pc, address)) now_second = e->step;
            if (now_first == 0 && e->thread == first && e->address == found.first->address)
                now_first = e->step;
        }
        if (now_second == 0 || (now_first != 0 && now_first < now_second)) continue;
        compare(other);
        // And once more with the first thread back at once, before the second goes on.
        swapped.push_back({now_second + 1, choice::thread, first});
        if (run(f, swapped, other)) compare(other);
    }
    if (!run(f, {}, alone)) return effect;
    const bool unlike_alone = !same(told, alone);
    if (effect.changes_result)
        effect.text = fmt::format("this race changes the result. As told here {}; with the two "
                                  "accesses in the other order {}.",
                                  describe(told, differs),
                                  describe(differs, told));
    else if (unlike_alone) {
        effect.changes_result = true;
        ++effect.replays;
        effect.text = fmt::format("this race changes the result. As told here {}; undisturbed {}.",
                                  describe(told, alone),
                                  describe(alone, told));
    } else if (effect.replays > 0) {
        effect.text =
            fmt::format("both orders gave the same result in {}. It is undefined behaviour "
                        "all the same, and the compiler may make more of it.",
                        count(effect.replays, "replay"));
    } else {
        effect.text = "unknown: in no replay did the two accesses come in the other order.";
    }
    return effect;
}

} // namespace heddle::check
