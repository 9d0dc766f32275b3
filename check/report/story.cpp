#include "teller.hpp"

#include <set>

namespace heddle::check {

std::string teller::explain_pattern(const pattern& p) {
    const step &a = steps[p.first], &b = steps[p.other], &last = steps[p.last];
    switch (p.kind) {
    case pattern::none: return "";
    case pattern::lost_update:
        advice =
            fmt::format("hold one mutex from the read to the write in every thread, or make `{}` a "
                        "std::atomic and change it in one operation.",
                        f.variable);
        return fmt::format(
            "{} read {} at step {}, {} wrote {} at step {}, then {} wrote a value made "
            "from its old read at step {}: the update of {} is lost.",
            who(a.thread),
            a.value,
            p.first + 1,
            who(b.thread),
            b.value,
            p.other + 1,
            who(last.thread),
            p.last + 1,
            who(b.thread));
    case pattern::check_then_act:
        advice = fmt::format("keep the check and the use of `{}` together under one lock that its "
                             "writers take too.",
                             f.variable);
        return fmt::format(
            "{} looked at `{}` at step {} and again at step {}; between the two {} changed "
            "it, so what was checked no longer held.",
            who(a.thread),
            f.variable,
            p.first + 1,
            p.last + 1,
            who(b.thread));
    case pattern::order_violation:
        advice = fmt::format("make the reader wait (join, future, condition) until `{}` is set.",
                             f.variable);
        return fmt::format(
            "{} used `{}` at step {} before {} set it at step {}: nothing makes the reader "
            "wait.",
            who(a.thread),
            f.variable,
            p.first + 1,
            who(b.thread),
            p.other + 1);
    case pattern::unordered:
        if (f.kind != failure::data_race) {
            advice = fmt::format(
                "make what belongs together one step: one lock around the whole change and "
                "around every look at it; or wait until `{}` is final.",
                f.variable);
            return fmt::format(
                "{} used `{}` at step {} when {} had changed it at step {}: earlier, later or "
                "in more than one step than the program is prepared for.",
                who(last.thread),
                f.variable,
                p.last + 1,
                who(a.thread),
                p.first + 1);
        }
        advice = fmt::format("protect every access to `{}` by one mutex, or make it a std::atomic.",
                             f.variable);
        return fmt::format(
            "{} and {} both use `{}`, one of them writes, and nothing orders the two "
            "(no common lock, no join, no atomic).",
            who(a.thread),
            who(last.thread),
            f.variable);
    }
    return "";
}

void teller::tell_variable(u64 address, const object& what) {
    f.variable = names.name_of(address, 0, what);
    collect(address, ~u64{0});
    pattern p = recognise(steps);
    const char* words[] = {"Too early:",
                           "Lost update on",
                           "Check then act on",
                           "Order violation on",
                           f.kind == failure::data_race ? "Unordered accesses to"
                                                        : "Unexpected order on"};
    title = fmt::format("{} `{}`", words[p.kind], f.variable);
    const std::size_t before = steps.size();
    if (p.kind != pattern::none) {
        // Numbers in the text are rows of the table: crop first, then explain.
        const step first = steps[p.first];
        crop(p.first, p.last);
        if (steps.size() != before) p = recognise(steps);
    } else if (!steps.empty()) {
        crop(steps.size() > 8 ? steps.size() - 8 : 0, steps.size() - 1);
    }
    why = explain_pattern(p);
    if (p.kind == pattern::none && !steps.empty()) {
        why = fmt::format("{} used `{}` before any other thread changed it.",
                          who(steps.back().thread),
                          f.variable);
        advice = fmt::format(
            "wait for `{}` by join, condition variable or future; a sleep orders nothing.",
            f.variable);
    }
}

void teller::tell_race() {
    const run_result& r = c.result;
    for (u32 i = 0; i < r.races && i < max_races; ++i) {
        const auto& race = r.race[i];
        if (race.signature != f.signature) continue;
        tell_variable(race.second.address, race.what);
        remember(place(race.first.where));
        remember(place(race.second.where));
        const auto verb = [](const access& a) { return a.write ? "writes" : "reads"; };
        f.message = fmt::format("`{}`: {} {} it at {} while {} {} it at {}, unordered",
                                f.variable,
                                who(race.first.thread),
                                verb(race.first),
                                where(place(race.first.where)),
                                who(race.second.thread),
                                verb(race.second),
                                where(place(race.second.where)));
        if (title.rfind("Unordered", 0) == 0) title = fmt::format("Data race on `{}`", f.variable);
        else title += " (data race)";
        return;
    }
}

void teller::tell_failure() {
    const run_result& r = c.result;
    std::string what;
    switch (f.kind) {
    case failure::assertion: {
        what = r.text;
        const auto path = what.substr(0, what.find(':'));
        what.erase(0, path.size() - file_name(path).size());
        break;
    }
    case failure::uncaught_exception: what = fmt::format("uncaught exception {}", r.text); break;
    case failure::crash:
        what = r.text[0] != 0 ? r.text
               : r.signal == 6
                   ? "abort() was called"
                   : fmt::format("crash by signal {} at address {:#x}", r.signal, r.at.address);
        break;
    case failure::exit_code:
        what = fmt::format("the program ends with exit status {}; unperturbed it ends with {}",
                           r.exit_status,
                           f.expected_exit);
        break;
    case failure::livelock: what = "the program does not end: livelock suspected"; break;
    default: break;
    }
    const source_place at = place(r.at.where);
    remember(at);
    f.message =
        r.at.where.count > 0 && f.kind != failure::assertion ? what + " at " + where(at) : what;
    const u64 address = focus_of(c, f.kind, f.signature);
    if (address != 0) {
        object o{};
        for (const event* e : events)
            if (e->address == address) o = e->what;
        tell_variable(address, o);
        for (const auto& s : steps) remember(s.place);
    }
    step last;
    last.thread = f.kind == failure::exit_code ? 0 : r.failing_thread;
    last.text = f.kind == failure::assertion            ? "assert fails"
                : f.kind == failure::uncaught_exception ? "exception not caught"
                : f.kind == failure::exit_code ? fmt::format("exit status {}", r.exit_status)
                : f.kind == failure::livelock  ? "still runs"
                                               : "crashes";
    last.place = at;
    if (!steps.empty()) last.value = steps.back().value;
    steps.push_back(last);
    title = title.empty() ? what : fmt::format("{}: {}", title, kind_name(f.kind));
    if (why.empty())
        why = fmt::format("{} fails in this schedule and not when it runs unperturbed.",
                          who(last.thread));
    why += " So: " + what + ".";
}

std::string teller::started_at(u32 thread) const {
    for (const event* e : events)
        if (e->kind == op::create && e->aux == thread) return where(place(e->where));
    return "";
}

std::string teller::sources() const {
    std::string out;
    std::set<std::string> shown;
    for (const auto& s : steps) {
        const std::string line = source_line(s.place);
        const std::string head = where(s.place);
        if (line.empty() || shown.size() == 4 || !shown.insert(head).second) continue;
        out += cut(fmt::format("  {} | {}", head, line), line_width) + "\n";
    }
    return out;
}

std::string teller::render() const {
    std::vector<u32> columns;
    for (const auto& s : steps)
        if (std::find(columns.begin(), columns.end(), s.thread) == columns.end())
            columns.push_back(s.thread);
    std::sort(columns.begin(), columns.end());
    const bool wide = columns.size() <= 3;
    const std::size_t value = one_variable && wide ? 18 : 0;
    const std::size_t width =
        wide && !columns.empty()
            ? (line_width - 7 - value) / std::max<std::size_t>(columns.size(), 2)
            : 60;
    std::string out = fold("",
                           fmt::format("{} - {} threads, {} context switches, schedule {} ({})",
                                       title,
                                       f.threads,
                                       f.switches,
                                       f.schedule,
                                       f.strategy));
    std::string head = "  step ";
    if (wide)
        for (const u32 t : columns) {
            const std::string from = t == 0 ? "" : started_at(t);
            head += fmt::format(
                "{:<{}}",
                cut(from.empty() ? who(t)
                                 : fmt::format("{} (from {})",
                                               who(t),
                                               from.substr(from.rfind(':') == std::string::npos
                                                               ? 0
                                                               : from.rfind(':'))),
                    width - 1),
                width);
        }
    if (value != 0) head += cut(f.variable, value);
    while (head.back() == ' ') head.pop_back();
    out += head + "\n";
    std::size_t number = 0;
    for (const auto& s : steps) {
        ++number;
        std::string text = s.text;
        if (s.repeated > 0) text += fmt::format(" ({} times)", s.repeated + 1);
        if (s.place.line != 0) text += fmt::format("  :{}", s.place.line);
        std::string line = fmt::format("  {:>3}  ", number);
        if (wide) {
            const auto at = static_cast<std::size_t>(
                std::find(columns.begin(), columns.end(), s.thread) - columns.begin());
            line +=
                std::string(at * width, ' ') + fmt::format("{:<{}}", cut(text, width - 1), width);
            line += std::string((columns.size() - 1 - at) * width, ' ');
        } else {
            line += fmt::format("{:<11} {}", who(s.thread), text);
        }
        if (value != 0)
            line +=
                s.expected.empty() ? s.value : fmt::format("{} <-- not {}", s.value, s.expected);
        while (!line.empty() && line.back() == ' ') line.pop_back();
        out += line + "\n";
    }
    out += sources();
    if (!why.empty()) out += fold("Why: ", why);
    if (!advice.empty()) out += fold("Try: ", advice);
    return out;
}

void tell(finding& f, const channel& c, const symbols& names) {
    teller t{f, c, names, recorded_events(c), {}, {}, {}, {}, true};
    f.threads = c.result.threads;
    f.switches = c.result.switches;
    f.places.clear();
    switch (f.kind) {
    case failure::data_race: t.tell_race(); break;
    case failure::use_after_free:
    case failure::double_free: t.tell_free(); break;
    case failure::deadlock:
    case failure::lost_wakeup: t.tell_blocked(); break;
    default: t.tell_failure();
    }
    for (const auto& s : t.steps) t.remember(s.place);
    f.first_step = t.steps.empty() ? 0 : t.steps.front().number;
    f.story = t.render();
}

std::string story_with_replay(const finding& f) {
    return f.story + fmt::format("Replay: heddle replay {}\n", f.path);
}

} // namespace heddle::check
