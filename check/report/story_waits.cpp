// Stories of threads that wait for ever.
#include "teller.hpp"

#include <set>

namespace heddle::check {

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i)
        out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
    return out;
}

bool is_told_to_wake(const blocked_thread& b) {
    return b.what == wait_for::condition || b.what == wait_for::futex;
}

/// What it waits for is in memory: neither a thread nor a file descriptor.
bool has_object(const blocked_thread& b) {
    return b.what != wait_for::join && b.what != wait_for::input;
}

/// Named by the C++ library, for itself.
bool is_internal(const std::string& name) {
    return name.starts_with("__") || name.starts_with("std::") || name.starts_with("0x") ||
           name.find("(of _") != std::string::npos;
}

/// What a notification did.
std::string notification(const event& e) {
    const std::string name = e.kind == op::notify_one ? "notify_one" : "notify_all";
    if (e.aux == 0) return name + ": nobody waits";
    if (e.kind == op::notify_all) return name;
    return fmt::format("{}: wakes {}", name, who(static_cast<u32>(e.after)));
}

bool is_synchronisation(op kind) {
    switch (kind) {
    case op::lock:
    case op::unlock:
    case op::read_lock:
    case op::cond_wait:
    case op::notify_one:
    case op::notify_all:
    case op::sem_wait:
    case op::sem_post: return true;
    default: return false;
    }
}

/// "Mutex::Lock", "safe_mutex_unlock", "cond_wait", but not "compress_block".
bool sounds_like_a_wrapper(std::string name) {
    for (char& ch : name) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
    for (const char* other : {"block", "clock"})
        if (name.ends_with(other)) return false;
    for (const char* verb : {"lock",
                             "wait",
                             "signal",
                             "signal_all",
                             "signalall",
                             "broadcast",
                             "notify",
                             "notify_one",
                             "notify_all",
                             "post",
                             "acquire",
                             "release",
                             "guard",
                             "locker",
                             "enter",
                             "leave"})
        if (name.ends_with(verb)) return true;
    return false;
}

} // namespace

std::set<std::string> lock_wrappers(const std::vector<const event*>& events, const symbols& names) {
    std::map<std::string, std::set<u64>> objects; // by function
    std::set<std::string> found;
    for (bool again = true; again;) { // a wrapper may be wrapped itself
        again = false;
        objects.clear();
        for (const event* e : events) {
            if (!is_synchronisation(e->kind)) continue;
            const std::string function = names.place_of(e->where, found).function;
            auto& used = objects[function];
            used.insert(e->address);
            if (used.size() > 1 && sounds_like_a_wrapper(function))
                again |= found.insert(function).second;
        }
    }
    return found;
}

std::string teller::lock_name(u64 address, const object& o) const {
    const named what = names.variable_at(address, o);
    return is_internal(what.name) ? "an internal of the C++ library" : "`" + what.name + "`";
}

/// What the sleeper on a condition variable looked at before it went to sleep; of several that
/// which another thread has changed since, else the one that was changed last. 0: there is none.
u64 teller::last_look(const blocked_thread& b) const {
    u64 found = 0, found_change = 0;
    bool found_since = false;
    for (const u64 address : shared_reads(b.thread, b.since_step)) {
        u64 look = 0, change = 0, foreign_change = 0;
        for (const event* e : events) {
            if (!touches(*e, address)) continue;
            if (e->thread == b.thread && e->step <= b.since_step && is_read(*e)) look = e->step;
            if (is_write(*e)) change = e->step;
            if (is_write(*e) && e->thread != b.thread) foreign_change = e->step;
        }
        const bool since = foreign_change > look;
        if (found != 0 && (found_since || (!since && change <= found_change))) continue;
        found = address;
        found_change = change;
        found_since = since;
    }
    return found;
}

/// Rows about what the sleeper looked at before it went to sleep, and who tried to wake it.
void teller::tell_missed(const blocked_thread& b) {
    const bool condition = b.what == wait_for::condition;
    if (!condition) variables.push_back({b.address, variable_at(b.address), ""});
    else if (const u64 a = last_look(b); a != 0) variables.push_back({a, variable_at(a), ""});
    for (const event* e : events) {
        if (!variables.empty() && touches(*e, variables.front().address) &&
            (!condition || names.in_program(e->where))) {
            add_access(*e, 0);
            continue;
        }
        if (e->address != b.address) continue;
        switch (e->kind) {
        case op::notify_one:
        case op::notify_all: add_line(*e, notification(*e)); break;
        case op::futex_wake: add_line(*e, e->aux == 0 ? "wakes nobody" : "wakes a sleeper"); break;
        case op::cond_wait: add_line(*e, "begins to wait"); break;
        case op::cond_woken:
            add_line(*e, e->aux == woken_spuriously ? "wakes up for no reason" : "wakes up");
            break;
        case op::futex_wait:
            add_line(*e, fmt::format("sleeps while it is {}", static_cast<std::int32_t>(e->aux)));
            break;
        default: break;
        }
    }
    std::string value; // lines about waiting change nothing
    for (auto& s : steps) {
        if (s.value.empty()) s.value = value;
        value = s.value;
    }
    // What main prepared before anybody else came is no part of it.
    std::size_t first = 0;
    while (first + 1 < steps.size() && steps[first].thread == 0 && steps[first + 1].thread == 0 &&
           b.thread != 0)
        ++first;
    if (first > 0 && !steps[first].writes) --first;
    steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(first));
    keep_last(max_rows - 1);
    add_end(b.thread, "sleeps for ever", place(b.where));
}

/// Whether the awaited word changed and came back between the sleeper's look and its sleep, which
/// the sleep cannot see (the ABA problem); then says so.
bool teller::came_back(const blocked_thread& b) {
    std::size_t sleep = steps.size(), look = steps.size(), away = steps.size();
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (steps[i].thread == b.thread && steps[i].kind == op::futex_wait) sleep = i;
    if (sleep == steps.size()) return false;
    const std::string awaited = steps[sleep].value;
    for (std::size_t i = sleep; i > 0; --i) {
        const step& s = steps[i - 1];
        if (s.thread != b.thread && s.writes && s.value != awaited) away = i - 1;
        if (away == steps.size() || s.thread != b.thread || !s.reads || s.value != awaited)
            continue;
        look = i - 1;
        break;
    }
    if (look == steps.size()) return false;
    why =
        fmt::format("{} read {} as {} in {}. It changed ({}) and came back to {} before {} went to "
                    "sleep in {}: the sleep sees the same value and cannot know that it has missed "
                    "something (an ABA problem). Whoever changed it last found nobody to wake.",
                    who(b.thread),
                    lock_name(b.address, b.what_object),
                    awaited,
                    row_of(look),
                    row_of(away),
                    awaited,
                    who(b.thread),
                    row_of(sleep));
    return true;
}

void teller::tell_wakeup(const blocked_thread& b) {
    f.variable = names.variable_at(b.address, b.what_object).name;
    const std::string name = lock_name(b.address, b.what_object), sleeper = who(b.thread);
    claim = fmt::format("Lost wake-up on {}: {} sleeps for ever", name, sleeper);
    f.message = fmt::format("{} waits for ever on {} at {}", sleeper, name, where(place(b.where)));
    tell_missed(b);
    if (b.what == wait_for::condition) return tell_notification(b, name, sleeper);
    advice = "look at how the waker decides that nobody sleeps: here it decided wrongly.";
    if (b.changed == 0 && came_back(b)) return;
    why = b.changed != 0
              ? fmt::format("{} sleeps until {} changes. It has changed since, but whoever changed "
                            "it believed that nobody sleeps, and woke nobody.",
                            sleeper,
                            name)
              : fmt::format("{} would go on if it woke up, and no thread is left that could wake "
                            "it.",
                            sleeper);
}

/// Why the last notification did not help.
void teller::tell_notification(const blocked_thread& b,
                               const std::string& name,
                               const std::string& sleeper) {
    const event* last = nullptr;
    for (const event* e : events)
        if (e->address == b.address && (e->kind == op::notify_one || e->kind == op::notify_all))
            last = e;
    if (last == nullptr) {
        why = fmt::format("{} would go on if it woke up: what it waits for has happened. But "
                          "nobody ever notifies {}.",
                          sleeper,
                          name);
        advice = "notify after every change that somebody may wait for.";
        return;
    }
    std::string when;
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (steps[i].number == last->step && steps[i].kind == last->kind)
            when = fmt::format(" ({})", row_of(i));
    const bool woke = std::any_of(events.begin(), events.end(), [&](const event* e) {
        return e->kind == op::cond_woken && e->aux == 1 && e->thread == b.thread &&
               e->step > last->step;
    });
    if (last->aux == 0 || (!woke && b.since_step > last->step)) {
        why = fmt::format("the notification{} came when {} waited, and a notification is not "
                          "kept. {} began to wait only afterwards, and no other one follows.",
                          when,
                          last->aux == 0 ? "nobody" : "only others",
                          capital(sleeper));
        advice = "change the condition while holding the mutex, and wait with a predicate: "
                 "cv.wait(lock, [&] { return condition; }), which looks before it sleeps.";
        return;
    }
    const u32 woken = static_cast<u32>(last->after);
    bool sleeps_again = false;
    for (u32 i = 0; i < std::min(c.result.blocked, max_blocked); ++i)
        sleeps_again |= c.result.block[i].thread == woken && c.result.block[i].address == b.address;
    if (last->kind == op::notify_all || woken == b.thread)
        why = fmt::format("the last notification{} came too soon: {} looked, went back to sleep, "
                          "and what it waits for happened only then, without another one.",
                          when,
                          sleeper);
    else if (sleeps_again)
        why = fmt::format("the last notification{} woke {}, which had no use for it and went back "
                          "to sleep. {} could go on, and still sleeps.",
                          when,
                          who(woken),
                          capital(sleeper));
    else
        why = fmt::format("the last notification{} woke {}, and only that. What {} waits for has "
                          "happened too, and nobody notifies again.",
                          when,
                          who(woken),
                          sleeper);
    advice = sleeps_again ? "use notify_all; or a condition variable of its own for each thing "
                            "that threads wait for."
                          : "notify after every change that somebody may wait for; in doubt, "
                            "notify_all.";
}

/// A run that fails after a wake-up without a notification: what is left in it is needed.
void teller::tell_spurious_wakeup() {
    const auto found = std::find_if(events.begin(), events.end(), [](const event* e) {
        return e->kind == op::cond_woken && e->aux == woken_spuriously;
    });
    if (found == events.end()) return;
    const event& e = **found;
    const auto after = [&](const step& s) { return !s.gap && s.number > e.step; };
    const auto before = std::find_if(steps.begin(), steps.end(), after) - steps.begin();
    const std::string value = before == 0 ? "" : steps[static_cast<std::size_t>(before - 1)].value;
    add_line(e, "wakes up for no reason");
    steps.back().value = value;
    std::rotate(steps.begin() + before, steps.end() - 1, steps.end());
    const std::string condition = lock_name(e.address, e.what);
    claim = fmt::format("Spurious wake-up: {} goes on though nobody has notified {}; {}",
                        who(e.thread),
                        condition,
                        end_of(c.result));
    why =
        fmt::format("{} waits on {} at {} and wakes up without a notification, which the standard "
                    "allows. It goes on as if what it waited for had happened.",
                    capital(who(e.thread)),
                    condition,
                    where(place(e.where)));
    advice = "look again after each wake-up: while (!condition) cv.wait(lock); or "
             "cv.wait(lock, [&] { return condition; }).";
}

/// On what, or, where that has no name, in which call.
std::string teller::waits_on(const blocked_thread& b) const {
    if (b.what == wait_for::signal) return "waits for a signal";
    const std::string name = lock_name(b.address, b.what_object);
    const bool named = name.front() == '`' && !name.starts_with("`block of ");
    const std::string call = named ? "" : names.library_call(b.where);
    return call.empty() ? "waits on " + name : fmt::format("waits in {}()", call);
}

/// What a blocked thread waits for, and who has it.
std::string teller::what_it_wants(const blocked_thread& b) const {
    std::string wants;
    switch (b.what) {
    case wait_for::join: return fmt::format("waits for the end of {}", who(b.owner));
    case wait_for::input: return fmt::format("waits for file descriptor {}", b.address);
    case wait_for::condition:
        wants = fmt::format("waits on {}", lock_name(b.address, b.what_object));
        break;
    case wait_for::semaphore:
        wants = fmt::format("waits for the semaphore {}", lock_name(b.address, b.what_object));
        break;
    case wait_for::barrier: wants = "waits at a barrier"; break;
    case wait_for::futex:
    case wait_for::signal: wants = waits_on(b); break;
    default: wants = fmt::format("wants {}", lock_name(b.address, b.what_object));
    }
    if (b.owner < max_threads)
        wants += fmt::format(", which {} has held since {}",
                             b.owner == b.thread ? "it itself" : who(b.owner),
                             where(place(b.held_from)));
    return wants;
}

/// What stands for the pipe or socket behind the descriptor that it waits for.
u64 teller::stream_of(const blocked_thread& b) const {
    u64 key = 0;
    for (const event* e : events)
        if ((e->kind == op::input || e->kind == op::poll) && e->thread == b.thread)
            key = e->address;
    return key;
}

/// Rows about the objects that threads wait for, and what they look at before they wait.
void teller::tell_use(const std::set<u64>& objects, const std::set<u64>& looks) {
    // One that is common to all is told with its values.
    if (looks.size() == 1 && *looks.begin() != 0) {
        const told_variable v{*looks.begin(), variable_at(*looks.begin()), ""};
        const bool itself = objects.contains(v.address); // not a container that they look into
        if ((itself || !v.what.library) && !is_internal(v.what.name)) variables.push_back(v);
    }
    for (const event* e : events) {
        const bool about = !variables.empty() && touches(*e, variables.front().address);
        if (about && names.in_program(e->where)) add_access(*e, 0);
        if (objects.count(e->address) == 0) continue;
        const std::string name = lock_name(e->address, e->what);
        if (e->kind == op::lock) add_line(*e, "locks " + name);
        if (e->kind == op::read_lock) add_line(*e, "locks (shared) " + name);
        if (e->kind == op::unlock) add_line(*e, "unlocks " + name);
        if (e->kind == op::cond_wait) add_line(*e, "waits on " + name);
        if (e->kind == op::poll) add_line(*e, fmt::format("looks at descriptor {}", e->aux));
        if (e->kind == op::input) add_line(*e, fmt::format("takes from descriptor {}", e->aux));
        if (e->kind == op::output) add_line(*e, fmt::format("gives to descriptor {}", e->aux));
        if (e->kind == op::notify_one || e->kind == op::notify_all)
            add_line(*e, fmt::format("{}: {}", name, notification(*e)));
    }
}

/// What became of the last thing that was given to a descriptor for which a thread waits for ever.
void teller::tell_silence() {
    std::size_t given = steps.size(), taken = steps.size();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].kind == op::output) given = i;
        if (steps[i].kind == op::input) taken = i;
    }
    if (given == steps.size()) {
        why += " Nobody has given anything to it.";
        advice = "one of them has to speak first.";
    } else if (taken < steps.size() && taken > given) {
        why += fmt::format(
            " What was given last, in {}, was taken in {}.", row_of(given), row_of(taken));
        advice = "take what was sent before looking for what it announces, not afterwards; or send "
                 "once more.";
    } else {
        advice = "whoever waits must be sent something, or the descriptor be closed.";
    }
}

void teller::tell_blocked() {
    const run_result& r = c.result;
    const u32 n = std::min(r.blocked, max_blocked);
    if (f.kind == failure::lost_wakeup) {
        const auto* all = r.block;
        const auto* one = std::find_if(all, all + n, [](const auto& b) { return b.goes_on != 0; });
        if (one == all + n) // the process ended before that was known
            one = std::find_if(all, all + n, [](const auto& b) { return is_told_to_wake(b); });
        remember(place(one->where));
        return tell_wakeup(*one);
    }
    std::vector<std::string> parts, threads;
    std::set<u64> objects, looks;
    bool cycle = false;
    for (u32 i = 0; i < n; ++i) {
        const auto& b = r.block[i];
        cycle |= b.in_cycle != 0;
        remember(place(b.where));
        threads.push_back(who(b.thread));
        if (has_object(b)) objects.insert(b.address);
        if (b.what == wait_for::input) objects.insert(stream_of(b));
        if (b.what == wait_for::condition) looks.insert(last_look(b));
        if (b.what == wait_for::futex) looks.insert(b.address);
        parts.push_back(
            fmt::format("{} {} (at {})", who(b.thread), what_it_wants(b), where(place(b.where))));
        if (f.variable.empty() && has_object(b))
            f.variable = names.variable_at(b.address, b.what_object).name;
    }
    tell_use(objects, looks);
    keep_last(max_rows > n + 2 ? max_rows - n : 4);
    for (u32 i = 0; i < n && i < 6; ++i) {
        const auto& b = r.block[i];
        const std::string name = lock_name(b.address, b.what_object);
        const bool lock = b.owner < max_threads && has_object(b);
        add_end(b.thread,
                b.what == wait_for::join ? "joins " + who(b.owner)
                : !has_object(b)         ? what_it_wants(b)
                : lock                   ? fmt::format("wants {}, waits", name)
                                         : waits_on(b),
                place(b.where));
    }
    claim = !cycle   ? "Deadlock: every thread that is left waits, and nobody can wake another"
            : n == 1 ? fmt::format("Deadlock: {} waits for itself", threads.front())
                     : fmt::format("Deadlock: {} wait for each other", joined(threads));
    f.message.clear();
    for (std::size_t i = 0; i < parts.size() && i < 4; ++i)
        f.message += (i == 0 ? "" : "; ") + parts[i];
    why = f.message + ".";
    if (!variables.empty() && !variables.front().value.empty())
        why += fmt::format(" `{}` is {} by now, and no thread is left that could change it.",
                           variables.front().what.name,
                           variables.front().value);
    if (std::any_of(r.block, r.block + n, [](const auto& b) { return b.what == wait_for::input; }))
        return tell_silence();
    advice = !cycle   ? "somebody must notify, release or finish before the others can go on."
             : n == 1 ? "do not lock what this thread already holds."
                      : "lock in the same order everywhere; or take them at once: "
                        "std::scoped_lock(a, b).";
}

} // namespace heddle::check
