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

/// A notification that found nobody, or an awaited word that changed and nobody was woken.
bool was_missed(const blocked_thread& b) {
    return (b.what == wait_for::condition && b.missed > 0) ||
           (b.what == wait_for::futex && (b.changed != 0 || b.missed > 0));
}

} // namespace

std::string teller::lock_name(u64 address, const object& o) const {
    const named what = names.variable_at(address, o);
    const bool internal = what.name.rfind("__", 0) == 0 || what.name.rfind("std::", 0) == 0 ||
                          what.name.find("(of _") != std::string::npos ||
                          what.name.rfind("0x", 0) == 0;
    return internal ? "an internal of the C++ library" : "`" + what.name + "`";
}

/// Rows about what the sleeper looked at before it went to sleep, and who tried to wake it.
void teller::tell_missed(const blocked_thread& b) {
    const bool condition = b.what == wait_for::condition;
    const auto reads =
        condition ? shared_reads(b.thread, b.since_step) : std::vector<u64>{b.address};
    for (const u64 a : reads)
        if (variables.empty()) variables.push_back({a, variable_at(a), ""});
    for (const event* e : events) {
        if (!variables.empty() && touches(*e, variables.front().address) &&
            (!condition || names.in_program(e->where))) {
            add_access(*e, 0);
            continue;
        }
        if (e->address != b.address) continue;
        const bool nobody = e->aux == 0;
        switch (e->kind) {
        case op::notify_one:
            add_line(*e, nobody ? "notify_one: nobody waits" : "notify_one");
            break;
        case op::notify_all:
            add_line(*e, nobody ? "notify_all: nobody waits" : "notify_all");
            break;
        case op::futex_wake: add_line(*e, nobody ? "wakes nobody" : "wakes a sleeper"); break;
        case op::cond_wait: add_line(*e, "begins to wait"); break;
        case op::cond_woken: add_line(*e, "wakes up"); break;
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
    advice = b.what == wait_for::condition
                 ? "change the condition while holding the mutex, and wait with a predicate: "
                   "cv.wait(lock, [&] { return condition; }), which looks before it sleeps."
                 : "look at how the waker decides that nobody sleeps: here it decided wrongly.";
    if (b.what == wait_for::futex && b.changed == 0 && came_back(b)) return;
    if (b.what == wait_for::futex && b.changed != 0)
        why =
            fmt::format("{} sleeps until {} changes. It has changed since, but whoever changed it "
                        "believed that nobody sleeps, and woke nobody.",
                        sleeper,
                        name);
    else if (b.missed > 0)
        why =
            fmt::format("the notification came when nobody waited, and a notification is not kept. "
                        "{} began to wait only afterwards, and no other one follows.",
                        capital(sleeper));
    else why = fmt::format("{} waits and no thread is left that could wake it.", sleeper);
}

/// What a blocked thread waits for, and who has it.
std::string teller::what_it_wants(const blocked_thread& b) const {
    std::string wants;
    switch (b.what) {
    case wait_for::join: return fmt::format("waits for the end of {}", who(b.owner));
    case wait_for::condition:
        wants = fmt::format("waits on {}", lock_name(b.address, b.what_object));
        break;
    case wait_for::semaphore:
        wants = fmt::format("waits for the semaphore {}", lock_name(b.address, b.what_object));
        break;
    case wait_for::barrier: wants = "waits at a barrier"; break;
    default: wants = fmt::format("wants {}", lock_name(b.address, b.what_object));
    }
    if (b.owner < max_threads)
        wants += fmt::format(", which {} has held since {}",
                             b.owner == b.thread ? "it itself" : who(b.owner),
                             where(place(b.held_from)));
    return wants;
}

void teller::tell_blocked() {
    const run_result& r = c.result;
    const u32 n = std::min(r.blocked, max_blocked);
    if (f.kind == failure::lost_wakeup)
        for (u32 i = 0; i < n; ++i)
            if (was_missed(r.block[i])) {
                remember(place(r.block[i].where));
                return tell_wakeup(r.block[i]);
            }
    std::vector<std::string> parts, threads;
    std::set<u64> objects;
    bool cycle = false;
    for (u32 i = 0; i < n; ++i) {
        const auto& b = r.block[i];
        cycle |= b.in_cycle != 0;
        remember(place(b.where));
        threads.push_back(who(b.thread));
        if (b.what != wait_for::join) objects.insert(b.address);
        parts.push_back(
            fmt::format("{} {} (at {})", who(b.thread), what_it_wants(b), where(place(b.where))));
        if (f.variable.empty() && b.what != wait_for::join)
            f.variable = names.variable_at(b.address, b.what_object).name;
    }
    for (const event* e : events) {
        if (objects.count(e->address) == 0) continue;
        const std::string name = lock_name(e->address, e->what);
        if (e->kind == op::lock) add_line(*e, "locks " + name);
        if (e->kind == op::read_lock) add_line(*e, "locks (shared) " + name);
        if (e->kind == op::unlock) add_line(*e, "unlocks " + name);
        if (e->kind == op::cond_wait) add_line(*e, "waits on " + name);
        if (e->kind == op::notify_one || e->kind == op::notify_all)
            add_line(*e, "notifies " + name);
    }
    keep_last(max_rows > n + 2 ? max_rows - n : 4);
    for (u32 i = 0; i < n && i < 6; ++i) {
        const auto& b = r.block[i];
        const std::string name = lock_name(b.address, b.what_object);
        const bool lock = b.owner < max_threads && b.what != wait_for::join;
        add_end(b.thread,
                b.what == wait_for::join ? "joins " + who(b.owner)
                : lock                   ? fmt::format("wants {}, waits", name)
                                         : fmt::format("waits on {}", name),
                place(b.where));
    }
    claim = !cycle   ? "Deadlock: every thread that is left waits, and nobody can wake another"
            : n == 1 ? fmt::format("Deadlock: {} waits for itself", threads.front())
                     : fmt::format("Deadlock: {} wait for each other", joined(threads));
    f.message.clear();
    for (std::size_t i = 0; i < parts.size() && i < 4; ++i)
        f.message += (i == 0 ? "" : "; ") + parts[i];
    why = f.message + ".";
    advice = !cycle   ? "somebody must notify, release or finish before the others can go on."
             : n == 1 ? "do not lock what this thread already holds."
                      : "lock in the same order everywhere; or take them at once: "
                        "std::scoped_lock(a, b).";
}

} // namespace heddle::check
