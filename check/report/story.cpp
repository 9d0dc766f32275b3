#include "story.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace heddle::check {

namespace {

constexpr std::size_t max_rows = 11;

/// Everything that is needed while one story is told.
struct teller {
    finding& f;
    const channel& c;
    const symbols& names;
    std::vector<const event*> events = recorded_events(c);
    std::vector<step> steps;
    std::string why, advice, title;
    bool one_variable = true;

    source_place place(const frames& w) const { return names.place_of(w); }

    void remember(const source_place& p) {
        if (p.file.empty() || p.line == 0)
            return;
        for (const auto& known : f.places)
            if (known.file == p.file && known.line == p.line)
                return;
        if (f.places.size() < 6)
            f.places.push_back(p);
    }

    void add_access(const event& e) {
        step s;
        s.number = e.step;
        s.thread = e.thread;
        s.kind = e.kind;
        s.before = e.before;
        s.after = e.after;
        s.place = place(e.where);
        const std::string old = show(e.before, e.size), fresh = show(e.after, e.size);
        s.writes = e.kind == op::write || e.kind == op::atomic_store ||
                   (e.kind == op::atomic_rmw && e.changed != 0);
        s.reads = e.kind != op::write && e.kind != op::atomic_store;
        const bool known = e.size != 0 && e.size <= 8;
        switch (e.kind) {
        case op::write:
            s.text = known ? "writes " + fresh : "writes";
            break;
        case op::read:
            s.text = known ? "reads -> " + old : "reads";
            break;
        case op::atomic_load:
            s.text = "atomic load -> " + old;
            break;
        case op::atomic_store:
            s.text = "atomic store " + fresh;
            break;
        default:
            s.text = s.writes ? fmt::format("atomically {} -> {}", old, fresh)
                              : fmt::format("exchange fails, finds {}", old);
        }
        if (known)
            s.value = s.writes ? fresh : old;
        if (e.kind == op::write && known)
            show_as_sum(s, e.size);
        if (!steps.empty() && steps.back().thread == s.thread && steps.back().text == s.text &&
            steps.back().place.line == s.place.line && s.reads && !s.writes) {
            ++steps.back().repeated; // a spin loop is one line
            return;
        }
        steps.push_back(s);
    }

    /// A value written after an own read is told as what was added: "writes 0+1".
    void show_as_sum(step& s, u32 size) const {
        for (std::size_t i = steps.size(); i > 0; --i) {
            const step& r = steps[i - 1];
            if (r.thread != s.thread)
                continue;
            const u64 mask = size == 8 ? ~u64{0} : (u64{1} << (size * 8)) - 1;
            const u64 plus = (s.after - r.before) & mask, minus = (r.before - s.after) & mask;
            if (!r.reads || r.writes || s.after == r.before)
                return;
            if (plus < 1000)
                s.text = fmt::format("writes {}+{}", r.value, plus);
            else if (minus < 1000)
                s.text = fmt::format("writes {}-{}", r.value, minus);
            else
                return;
            const u64 current = i == steps.size()     ? r.before
                                : steps.back().writes ? steps.back().after
                                                      : steps.back().before;
            if (current != r.before)
                s.expected = show((current + s.after - r.before) & mask, size);
            return;
        }
    }

    void add_line(const event& e, std::string text) {
        step s;
        s.number = e.step;
        s.thread = e.thread;
        s.kind = e.kind;
        s.text = std::move(text);
        s.place = place(e.where);
        steps.push_back(s);
    }

    static bool is_access(op k) {
        return k == op::read || k == op::write || k == op::atomic_load || k == op::atomic_store ||
               k == op::atomic_rmw;
    }

    /// All accesses to the variable at `address`, up to step `until`.
    void collect(u64 address, u64 until) {
        for (const event* e : events) {
            if (!is_access(e->kind) || e->step > until)
                continue;
            const u64 size = std::max<u64>(e->size, 1);
            if (e->address <= address && address < e->address + size)
                add_access(*e);
        }
    }

    /// Keeps the rows around those that matter.
    void crop(std::size_t first, std::size_t last) {
        std::size_t from = first > 1 ? first - 1 : 0;
        std::size_t to = std::min(steps.size(), last + 4);
        if (steps.size() <= max_rows) {
            from = 0;
            to = steps.size();
        }
        if (to - from > max_rows) {
            // Too many between: keep both ends.
            std::vector<step> kept(steps.begin() + static_cast<std::ptrdiff_t>(from),
                                   steps.begin() +
                                       static_cast<std::ptrdiff_t>(from + max_rows / 2));
            step gap;
            gap.text = fmt::format("... {} more steps", to - from - max_rows + 1);
            gap.thread = steps[from].thread;
            kept.push_back(gap);
            kept.insert(kept.end(),
                        steps.begin() + static_cast<std::ptrdiff_t>(to - max_rows / 2),
                        steps.begin() + static_cast<std::ptrdiff_t>(to));
            steps = std::move(kept);
            return;
        }
        steps = {steps.begin() + static_cast<std::ptrdiff_t>(from),
                 steps.begin() + static_cast<std::ptrdiff_t>(to)};
    }

    std::string explain_pattern(const pattern& p);
    void tell_variable(u64 address, const object& what);
    void tell_race();
    void tell_failure();
    void tell_free();
    void tell_blocked();
    void tell_wakeup(const blocked_thread& b);
    std::string lock_name(u64 address, const object& o) const {
        const std::string name = names.name_of(address, 0, o);
        const bool internal = name.rfind("__", 0) == 0 || name.find("(of _") != std::string::npos;
        return internal ? "an internal of the C++ library" : name;
    }
    std::string render() const;
    std::string started_at(u32 thread) const;
    std::string sources() const;
};

std::string teller::explain_pattern(const pattern& p) {
    if (p.kind == pattern::none)
        return "";
    const step &a = steps[p.first], &b = steps[p.other], &last = steps[p.last];
    switch (p.kind) {
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
        advice = fmt::format(
            "make the reader wait (join, condition variable, future) until `{}` is set.",
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
    case pattern::none:
        break;
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
        if (steps.size() != before)
            p = recognise(steps);
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
        if (race.signature != f.signature)
            continue;
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
        if (title.rfind("Unordered", 0) == 0)
            title = fmt::format("Data race on `{}`", f.variable);
        else
            title += " (data race)";
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
    case failure::uncaught_exception:
        what = fmt::format("uncaught exception {}", r.text);
        break;
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
    case failure::livelock:
        what = "the program does not end: livelock suspected";
        break;
    default:
        break;
    }
    const source_place at = place(r.at.where);
    remember(at);
    f.message =
        r.at.where.count > 0 && f.kind != failure::assertion ? what + " at " + where(at) : what;
    const u64 address = focus_of(c, f.kind, f.signature);
    if (address != 0) {
        object o{};
        for (const event* e : events)
            if (e->address == address)
                o = e->what;
        tell_variable(address, o);
        for (const auto& s : steps)
            remember(s.place);
    }
    step last;
    last.thread = f.kind == failure::exit_code ? 0 : r.failing_thread;
    last.text = f.kind == failure::assertion            ? "assert fails"
                : f.kind == failure::uncaught_exception ? "exception not caught"
                : f.kind == failure::exit_code ? fmt::format("exit status {}", r.exit_status)
                : f.kind == failure::livelock  ? "still runs"
                                               : "crashes";
    last.place = at;
    if (!steps.empty())
        last.value = steps.back().value;
    steps.push_back(last);
    title = title.empty() ? what : fmt::format("{}: {}", title, kind_name(f.kind));
    if (why.empty())
        why = fmt::format("{} fails in this schedule and not when it runs unperturbed.",
                          who(last.thread));
    why += " So: " + what + ".";
}

void teller::tell_free() {
    const run_result& r = c.result;
    f.variable = names.name_of(r.at.address, 0, r.what);
    const source_place use = place(r.at.where), freed = place(r.other.where);
    remember(use);
    remember(freed);
    const bool twice = f.kind == failure::double_free;
    title = fmt::format("{} of {}", twice ? "Double free" : "Use after free", f.variable);
    f.message = fmt::format("{} {} {} at {}, which {} freed at {}",
                            who(r.at.thread),
                            twice        ? "frees"
                            : r.at.write ? "writes"
                                         : "reads",
                            f.variable,
                            where(use),
                            who(r.other.thread),
                            where(freed));
    for (const event* e : events) {
        const bool inside =
            e->address >= r.what.base && e->address < r.what.base + std::max<u64>(r.what.size, 1);
        if (!inside || e->kind == op::fail)
            continue;
        if (is_access(e->kind))
            add_access(*e);
        if (e->kind == op::free)
            add_line(*e, "frees the block");
    }
    if (twice && !steps.empty())
        steps.pop_back(); // the free that failed: told below
    if (steps.size() > max_rows - 2)
        steps.erase(steps.begin(), steps.end() - static_cast<std::ptrdiff_t>(max_rows - 2));
    for (auto& s : steps)
        s.value.clear();
    one_variable = false;
    step last;
    last.thread = r.at.thread;
    last.text = twice ? "frees it again" : r.at.write ? "writes to it" : "reads it";
    last.place = use;
    steps.push_back(last);
    why =
        fmt::format("{} freed the block at {} while {} still had a pointer to it and {} it at {}.",
                    who(r.other.thread),
                    where(freed),
                    who(r.at.thread),
                    twice ? "freed" : "used",
                    where(use));
    advice = "let the last user free it (std::shared_ptr), or join the users before it is freed.";
}

void teller::tell_wakeup(const blocked_thread& b) {
    f.variable = lock_name(b.address, b.what_object);
    title = fmt::format("Lost wake-up on `{}`", f.variable);
    // What the sleeper looked at before it went to sleep belongs to the story.
    const u64 condition =
        b.what == wait_for::condition ? last_shared_read(events, b.thread, b.since_step) : 0;
    std::string condition_name;
    for (const event* e : events) {
        if (condition != 0 && e->address == condition && is_access(e->kind)) {
            if (condition_name.empty())
                condition_name = names.name_of(condition, e->size, e->what);
            add_access(*e);
            const auto gap = steps.back().text.find(' ');
            if (steps.back().repeated == 0 && steps.back().text.find('`') == std::string::npos)
                steps.back().text.insert(gap == std::string::npos ? steps.back().text.size() : gap,
                                         fmt::format(" `{}`", condition_name));
            continue;
        }
        if (e->address != b.address)
            continue;
        if (e->kind == op::notify_one || e->kind == op::notify_all || e->kind == op::futex_wake)
            add_line(*e, e->aux == 0 ? "notifies: nobody waits" : "notifies");
        else if (e->kind == op::cond_wait)
            add_line(*e, "begins to wait");
        else if (e->kind == op::futex_wait)
            add_line(*e,
                     fmt::format("sleeps as long as it is {}", static_cast<std::int32_t>(e->aux)));
        else if (e->kind == op::cond_woken)
            add_line(*e, "wakes up");
        else if (b.what == wait_for::futex && is_access(e->kind))
            add_access(*e);
    }
    if (steps.size() > max_rows)
        crop(steps.size() - max_rows + 2, steps.size());
    f.message = fmt::format(
        "{} waits for ever on `{}` at {}", who(b.thread), f.variable, where(place(b.where)));
    if (b.what == wait_for::futex && b.changed != 0)
        why = fmt::format(
            "{} sleeps until `{}` changes; it has changed, but nobody woke the sleeper.",
            who(b.thread),
            f.variable);
    else if (b.missed > 0)
        why = fmt::format("the last notification came when nobody waited; {} began to wait only "
                          "afterwards, and no other notification follows.",
                          who(b.thread));
    else
        why = fmt::format("{} waits and no thread is left that could wake it.", who(b.thread));
    advice = b.what == wait_for::condition
                 ? "change the condition under the mutex, and wait with a predicate: wait(lock, "
                   "[&]{...})."
                 : "look at how the waker decides that nobody sleeps: here it decided wrongly.";
}

void teller::tell_blocked() {
    const run_result& r = c.result;
    one_variable = false;
    const u32 n = std::min(r.blocked, max_blocked);
    if (f.kind == failure::lost_wakeup) {
        const blocked_thread* sleeper = nullptr;
        for (u32 i = 0; i < n; ++i) {
            const auto& b = r.block[i];
            const bool tells = (b.what == wait_for::condition && b.missed > 0) ||
                               (b.what == wait_for::futex && (b.changed != 0 || b.missed > 0));
            if (tells && sleeper == nullptr)
                sleeper = &b;
        }
        if (sleeper != nullptr) {
            remember(place(sleeper->where));
            return tell_wakeup(*sleeper);
        }
    }
    std::vector<std::string> parts;
    std::set<u64> objects;
    bool cycle = false;
    for (u32 i = 0; i < n; ++i) {
        const auto& b = r.block[i];
        cycle |= b.in_cycle != 0;
        remember(place(b.where));
        if (b.what != wait_for::join)
            objects.insert(b.address);
        std::string wants;
        switch (b.what) {
        case wait_for::join:
            wants = fmt::format("waits for the end of {}", who(b.owner));
            break;
        case wait_for::condition:
            wants = fmt::format("waits on `{}`", lock_name(b.address, b.what_object));
            break;
        case wait_for::semaphore:
            wants = "waits for a semaphore";
            break;
        case wait_for::barrier:
            wants = "waits at a barrier";
            break;
        default:
            wants = fmt::format("wants `{}`", lock_name(b.address, b.what_object));
        }
        if (b.owner < max_threads && b.what != wait_for::join)
            wants += fmt::format(", held by {} since {}",
                                 b.owner == b.thread ? "itself" : who(b.owner),
                                 where(place(b.held_from)));
        parts.push_back(fmt::format("{} {} (at {})", who(b.thread), wants, where(place(b.where))));
        if (f.variable.empty() && b.what != wait_for::join)
            f.variable = lock_name(b.address, b.what_object);
    }
    for (const event* e : events) {
        if (objects.count(e->address) == 0)
            continue;
        const std::string name = lock_name(e->address, e->what);
        if (e->kind == op::lock || e->kind == op::read_lock)
            add_line(*e, "locks " + name);
        if (e->kind == op::unlock)
            add_line(*e, "unlocks " + name);
        if (e->kind == op::cond_wait)
            add_line(*e, "waits on " + name);
        if (e->kind == op::notify_one || e->kind == op::notify_all)
            add_line(*e, "notifies " + name);
    }
    const std::size_t room = max_rows > n ? max_rows - n : 4;
    if (steps.size() > room)
        steps.erase(steps.begin(), steps.end() - static_cast<std::ptrdiff_t>(room));
    for (u32 i = 0; i < n && i < 6; ++i) {
        const auto& b = r.block[i];
        step s;
        s.thread = b.thread;
        s.text = b.what == wait_for::join ? "waits for " + who(b.owner)
                                          : "waits for " + lock_name(b.address, b.what_object);
        s.place = place(b.where);
        steps.push_back(s);
    }
    title = cycle ? (n == 1 ? "Deadlock: a thread waits for itself" : "Deadlock: a cycle of locks")
                  : "Deadlock: every thread waits";
    f.message.clear();
    for (std::size_t i = 0; i < parts.size() && i < 4; ++i)
        f.message += (i == 0 ? "" : "; ") + parts[i];
    why = f.message + ".";
    advice = cycle ? (n == 1 ? "do not lock what this thread already holds."
                             : "lock in the same order everywhere, or take both at once: "
                               "std::scoped_lock(a, b).")
                   : "somebody must notify, release or finish before the others can go on.";
}

std::string teller::started_at(u32 thread) const {
    for (const event* e : events)
        if (e->kind == op::create && e->aux == thread)
            return where(place(e->where));
    return "";
}

std::string teller::sources() const {
    std::string out;
    std::set<std::string> shown;
    for (const auto& s : steps) {
        const std::string line = source_line(s.place);
        const std::string head = where(s.place);
        if (line.empty() || shown.size() == 4 || !shown.insert(head).second)
            continue;
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
    if (value != 0)
        head += cut(f.variable, value);
    while (head.back() == ' ')
        head.pop_back();
    out += head + "\n";
    std::size_t number = 0;
    for (const auto& s : steps) {
        ++number;
        std::string text = s.text;
        if (s.repeated > 0)
            text += fmt::format(" ({} times)", s.repeated + 1);
        if (s.place.line != 0)
            text += fmt::format("  :{}", s.place.line);
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
        while (!line.empty() && line.back() == ' ')
            line.pop_back();
        out += line + "\n";
    }
    out += sources();
    if (!why.empty())
        out += fold("Why: ", why);
    if (!advice.empty())
        out += fold("Try: ", advice);
    return out;
}

} // namespace

void tell(finding& f, const channel& c, const symbols& names) {
    teller t{f, c, names, recorded_events(c), {}, {}, {}, {}, true};
    f.threads = c.result.threads;
    f.switches = c.result.switches;
    f.places.clear();
    switch (f.kind) {
    case failure::data_race:
        t.tell_race();
        break;
    case failure::use_after_free:
    case failure::double_free:
        t.tell_free();
        break;
    case failure::deadlock:
    case failure::lost_wakeup:
        t.tell_blocked();
        break;
    default:
        t.tell_failure();
    }
    for (const auto& s : t.steps)
        t.remember(s.place);
    f.first_step = t.steps.empty() ? 0 : t.steps.front().number;
    f.story = t.render();
}

std::string story_with_replay(const finding& f) {
    return f.story + fmt::format("Replay: heddle replay {}\n", f.path);
}

} // namespace heddle::check
