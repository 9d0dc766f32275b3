// Stories of memory that is gone and of threads that wait for ever.
#include "teller.hpp"

#include <set>

namespace heddle::check {

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
        if (!inside || e->kind == op::fail) continue;
        if (is_access(e->kind)) add_access(*e);
        if (e->kind == op::free) add_line(*e, "frees the block");
    }
    if (twice && !steps.empty()) steps.pop_back(); // the free that failed: told below
    if (steps.size() > max_rows - 2)
        steps.erase(steps.begin(), steps.end() - static_cast<std::ptrdiff_t>(max_rows - 2));
    for (auto& s : steps) s.value.clear();
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
            if (condition_name.empty()) condition_name = names.name_of(condition, e->size, e->what);
            add_access(*e);
            const auto gap = steps.back().text.find(' ');
            if (steps.back().repeated == 0 && steps.back().text.find('`') == std::string::npos)
                steps.back().text.insert(gap == std::string::npos ? steps.back().text.size() : gap,
                                         fmt::format(" `{}`", condition_name));
            continue;
        }
        if (e->address != b.address) continue;
        if (e->kind == op::notify_one || e->kind == op::notify_all || e->kind == op::futex_wake)
            add_line(*e, e->aux == 0 ? "notifies: nobody waits" : "notifies");
        else if (e->kind == op::cond_wait) add_line(*e, "begins to wait");
        else if (e->kind == op::futex_wait)
            add_line(*e,
                     fmt::format("sleeps as long as it is {}", static_cast<std::int32_t>(e->aux)));
        else if (e->kind == op::cond_woken) add_line(*e, "wakes up");
        else if (b.what == wait_for::futex && is_access(e->kind)) add_access(*e);
    }
    if (steps.size() > max_rows) crop(steps.size() - max_rows + 2, steps.size());
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
    else why = fmt::format("{} waits and no thread is left that could wake it.", who(b.thread));
    advice = b.what == wait_for::condition
                 ? "change the condition under the mutex, and wait with a predicate: wait(lock, "
                   "[&]{...})."
                 : "look at how the waker decides that nobody sleeps: here it decided wrongly.";
}

/// What a blocked thread waits for, and who has it.
std::string teller::what_it_wants(const blocked_thread& b) {
    std::string wants;
    switch (b.what) {
    case wait_for::join: wants = fmt::format("waits for the end of {}", who(b.owner)); break;
    case wait_for::condition:
        wants = fmt::format("waits on `{}`", lock_name(b.address, b.what_object));
        break;
    case wait_for::semaphore: wants = "waits for a semaphore"; break;
    case wait_for::barrier: wants = "waits at a barrier"; break;
    default: wants = fmt::format("wants `{}`", lock_name(b.address, b.what_object));
    }
    if (b.owner < max_threads && b.what != wait_for::join)
        wants += fmt::format(", held by {} since {}",
                             b.owner == b.thread ? "itself" : who(b.owner),
                             where(place(b.held_from)));
    return wants;
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
            if (tells && sleeper == nullptr) sleeper = &b;
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
        if (b.what != wait_for::join) objects.insert(b.address);
        const std::string wants = what_it_wants(b);
        parts.push_back(fmt::format("{} {} (at {})", who(b.thread), wants, where(place(b.where))));
        if (f.variable.empty() && b.what != wait_for::join)
            f.variable = lock_name(b.address, b.what_object);
    }
    for (const event* e : events) {
        if (objects.count(e->address) == 0) continue;
        const std::string name = lock_name(e->address, e->what);
        if (e->kind == op::lock || e->kind == op::read_lock) add_line(*e, "locks " + name);
        if (e->kind == op::unlock) add_line(*e, "unlocks " + name);
        if (e->kind == op::cond_wait) add_line(*e, "waits on " + name);
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

} // namespace heddle::check
