// What went wrong with a variable, in words.
#include "teller.hpp"

#include <cstdlib>
#include <set>

namespace heddle::check {

namespace {

std::string quoted(const std::string& name) {
    return "`" + name + "`";
}

} // namespace

/// The variable, where it has been named in full before.
std::string teller::it() const {
    const std::string name = f.variable.substr(0, f.variable.find(" (heap"));
    if (name.size() == f.variable.size()) return quoted(name);
    if (name.starts_with("an element of ")) return "the element";
    return name.starts_with("block of ") ? "the block" : quoted(name);
}

named teller::variable_at(u64 address) const {
    object o{};
    bool by_library = false; // a type that debug information knows by name only
    constexpr u64 longest = 16;
    u64 last = 0; // byte that all who come here use
    for (const event* e : events)
        if (is_access(e->kind) && touches(*e, address)) {
            o = e->what;
            by_library |= done_by_library(*e);
            const u64 end = e->address + (e->size == 0 ? longest : e->size) - 1;
            last = last == 0 ? end : std::min(last, end);
        }
    named what = names.variable_at(address, o);
    what.library |= by_library;
    const std::string first_element = "[0]";
    if (what.name.ends_with(first_element) && last > address &&
        names.variable_at(last, o).name != what.name) // a copy or a text: the array is meant
        what.name.resize(what.name.size() - first_element.size());
    return what;
}

/// Variables that `thread` read up to step `until` in lines of the program and that others write,
/// last read first. When nobody wrote one in this run: those that have a name.
std::vector<u64> teller::shared_reads(u32 thread, u64 until) const {
    std::set<u64> written;
    for (const event* e : events)
        if (e->thread != thread && is_write(*e)) written.insert(e->address);
    for (const auto& w : known.writers)
        if (w.thread != thread) written.insert(w.address);
    std::vector<u64> shared, other;
    std::set<std::string> listed;
    for (std::size_t i = events.size(); i > 0 && shared.size() < 4; --i) {
        const event& e = *events[i - 1];
        if (e.thread != thread || e.step > until || !is_read(e)) continue;
        const bool own = e.what.kind == object::stack && e.what.thread == thread;
        const bool useful = written.count(e.address) != 0 || (!own && other.empty());
        if (!useful || !names.in_program(e.where)) continue;
        const named what = names.variable_at(e.address, e.what);
        if (!listed.insert(what.name).second) continue;
        const bool foreign = written.count(e.address) != 0 && (!own || thread == 0);
        if (foreign) shared.push_back(e.address);
        else if (!what.nameless) other.push_back(e.address);
    }
    return shared.empty() ? other : shared;
}

/// Where a variable would have been set, of which this run shows no write.
std::string teller::not_yet_written(const step& read) const {
    for (const auto& w : known.writers)
        if (w.address == read.address && w.thread != read.thread)
            return fmt::format("{} sets it at {} only later", who(w.thread), where(w.place));
    return "no other thread has set it yet";
}

void teller::explain_early() {
    const step& read = steps.back();
    const std::string v = it(), reader = who(read.thread);
    claim = fmt::format("Too early: {} uses {} before it is set", reader, quoted(f.variable));
    why = fmt::format("{} reads {} as {} in {}; {}, and nothing makes {} wait for that.",
                      reader,
                      v,
                      read.value.empty() ? "it is" : read.value,
                      row_of(steps.size() - 1),
                      not_yet_written(read),
                      reader);
    advice =
        fmt::format("set {} before the thread is started, or wait for it: join, future, condition "
                    "variable. A sleep orders nothing.",
                    v);
}

/// A has read, B writes, and A goes on as if nothing had changed.
void teller::explain_overtaken(const pattern& p) {
    const step &a = steps[p.first], &b = steps[p.other], &last = steps[p.last];
    const std::string one = who(a.thread), two = who(b.thread), v = it();
    const std::string whole = quoted(f.variable);
    const std::string at_a = row_of(p.first), at_b = row_of(p.other), at_last = row_of(p.last);
    // What can only become true is no sum of which a part could be missing.
    const bool is_flag = variables.size() == 1 && variables[0].what.kind == value_kind::boolean;
    if (p.kind == pattern::lost_update && !is_flag) {
        claim = fmt::format("Lost update on {}: {} overwrites what {} wrote", whole, one, two);
        why = fmt::format(
            "{} read {} in {}. Then {} wrote {} ({}). In {} {} wrote what it had made of "
            "its old {}: the update of {} is gone.",
            one,
            a.value,
            at_a,
            two,
            b.value,
            at_b,
            at_last,
            one,
            a.value,
            two);
        advice = "hold one mutex from the read to the write in every thread";
        advice += v.front() != '`'
                      ? "."
                      : fmt::format("; or make {} a std::atomic and change it in one operation "
                                    "(++, +=, fetch_add).",
                                    v);
        return;
    }
    const auto detail = [](const step& s, const std::string& text) {
        const std::string shown = s.call.empty() ? text : s.call + "()";
        return shown.empty() ? "" : " (" + shown + ")";
    };
    claim = fmt::format(
        "Check then act on {}: {} changes it between {}'s look and its use", whole, two, one);
    why = fmt::format("{} looked at {} in {}{} and used it in {}{}. In between, in {}, {} changed "
                      "it: what {} had checked no longer held.",
                      one,
                      v,
                      at_a,
                      detail(a, a.value),
                      at_last,
                      detail(last, last.writes ? last.text : last.value),
                      at_b,
                      two,
                      one);
    advice =
        fmt::format("check {} and use it under one lock, held all the time, that everybody takes "
                    "who changes it.",
                    v);
}

bool teller::has_joined(u32 thread, u32 other, u64 until) const {
    return std::any_of(events.begin(), events.end(), [&](const event* e) {
        return e->kind == op::join && e->thread == thread && e->aux == other && e->step < until;
    });
}

/// One place in the program looks at a flag again and again.
bool teller::polls(const pattern& p) const {
    if (p.kind != pattern::check_then_act || variables.size() != 1) return false;
    const step &a = steps[p.first], &last = steps[p.last];
    return variables[0].what.kind == value_kind::boolean && a.pc == last.pc && !last.writes;
}

/// The lock of the mutex under which a thread looks at what it waits for on a condition variable;
/// null when that is not what it does in `look`.
const event* teller::mutex_of_wait(const step& look) const {
    if (look.writes) return nullptr;
    const event* lock = nullptr;
    bool waits = false;
    for (const event* e : events) {
        if (e->thread != look.thread || e->step > look.number) continue;
        if (e->kind == op::lock) lock = e;
        if (e->kind == op::unlock && lock != nullptr && e->address == lock->address) lock = nullptr;
        if (e->step == look.number) waits |= names.stands_in(e->where, "condition_variable");
    }
    for (const event* e : events)
        waits |= e->kind == op::cond_wait && e->thread == look.thread && lock != nullptr &&
                 e->aux == lock->address;
    return waits ? lock : nullptr;
}

/// What a thread waits for on a condition variable is changed without the mutex of the wait; false
/// when these two steps show nothing like that.
bool teller::tell_unlocked_change(const step& look, const step& change, const std::string& row) {
    const event* mutex = mutex_of_wait(look);
    if (mutex == nullptr || !change.writes || change.thread == look.thread) return false;
    const std::string waiter = who(look.thread), changer = who(change.thread), v = it();
    const std::string lock = lock_name(mutex->address, mutex->what);
    claim = fmt::format("{} changes {} without the mutex that {} waits with",
                        capital(changer),
                        quoted(f.variable),
                        waiter);
    why =
        fmt::format("{} looks at {} with {} locked, and sleeps until it is notified. {} changes it "
                    "in {} without {}: that can fall between the look and the sleep, and then the "
                    "notification comes when nobody waits.",
                    capital(waiter),
                    v,
                    lock,
                    capital(changer),
                    row,
                    lock);
    advice = fmt::format(
        "change {} with {} locked, then notify. A std::atomic is not enough here.", v, lock);
    return true;
}

void teller::explain(pattern p) {
    if (p.kind == pattern::check_then_act && f.kind == failure::data_race &&
        tell_unlocked_change(steps[p.first], steps[p.other], row_of(p.other)))
        return;
    if (polls(p)) p.kind = pattern::polling;
    if (p.kind == pattern::none && !steps.empty()) return explain_early();
    if (p.kind == pattern::lost_update || p.kind == pattern::check_then_act)
        return explain_overtaken(p);
    if (p.kind == pattern::none) return;
    const step &a = steps[p.first], &b = steps[p.other], &last = steps[p.last];
    const std::string one = who(a.thread), two = who(b.thread), v = it();
    const std::string whole = quoted(f.variable);
    const std::string at_a = row_of(p.first), at_b = row_of(p.other), at_last = row_of(p.last);
    if (p.kind == pattern::order_violation) {
        claim = fmt::format("Order violation: {} uses {} before {} sets it", one, whole, two);
        why = fmt::format("{} read {} as {} in {}; {} set it only in {}. Nothing makes {} wait.",
                          one,
                          v,
                          a.value,
                          at_a,
                          two,
                          at_b,
                          one);
        advice = fmt::format(
            "make {} wait until {} is set: start it afterwards, or use a join, a future "
            "or a condition variable.",
            one,
            v);
    } else if (p.kind == pattern::polling) {
        claim =
            fmt::format("{} waits for {} in a loop, and {} changes it", capital(one), whole, two);
        why = fmt::format(
            "{} reads {} over and over until {} changes it in {}. A plain variable does "
            "not promise that this is ever seen: the compiler may read it once and loop "
            "for ever.",
            one,
            v,
            two,
            at_b);
        advice = fmt::format("make {} a std::atomic, or sleep on a condition variable.", v);
    } else if (has_joined(last.thread, a.thread, last.number)) {
        claim = fmt::format("{} comes out wrong in this order of steps", whole);
        why = fmt::format("{} reads {} in {}, after {} changed it in {} and ended. In other orders "
                          "that goes another way: look at how {} came to it.",
                          who(last.thread),
                          v,
                          at_last,
                          one,
                          at_a,
                          one);
    } else {
        claim =
            fmt::format("{} depends on who comes first, {} or {}", whole, one, who(last.thread));
        why = fmt::format(
            "{} {} {} in {}, after {} {} it in {}. The other order is possible too, and "
            "the program is not prepared for both.",
            who(last.thread),
            last.reads ? "reads" : "writes",
            v,
            at_last,
            one,
            a.writes ? "changed" : "read",
            at_a);
        advice =
            fmt::format("make what belongs together one step: one lock around the whole change and "
                        "around every look at {}; or wait until it is final.",
                        v);
    }
}

/// Whether the run has a data race on the variable.
bool teller::races_on(const std::string& variable) const {
    const run_result& r = c.result;
    for (u32 i = 0; i < std::min(r.races, max_races); ++i)
        if (names.variable_at(r.race[i].second.address, r.race[i].what).name == variable)
            return true;
    return false;
}

void teller::tell_variable(u64 address, u32 failing) {
    collect({address});
    f.variable = variables.front().what.name;
    pattern whole = recognise(steps);
    // Who came too early is not who fails: that is not it.
    if (whole.kind == pattern::order_violation && steps[whole.first].thread != failing)
        whole = last_meeting(steps);
    const bool raced = races_on(f.variable);
    if (whole.kind == pattern::unordered && !raced) {
        if (tell_stale_look(address)) return;
        collect({address}); // which it has changed
    }
    const pattern p = crop(whole);
    if (variables.front().what.library && p.kind != pattern::none && raced)
        return tell_inside_library(steps[p.first], steps[p.other == p.first ? p.last : p.other]);
    if (p.kind == pattern::none) keep_last(max_rows - 2);
    explain(p);
}

namespace {

/// One of two variables, as one thread reads it and another changes it.
struct view {
    bool is_read = false, is_written = false;
    std::size_t read = 0, write = 0; // indices of steps
    u32 writer = 0;
    source_place reads_at, writes_at;

    bool sees_new() const { return write < read; }
};

/// Two lines of one piece of code: what stands there may be meant to belong together.
bool near(const source_place& a, const source_place& b) {
    constexpr int lines = 10;
    return a.file == b.file && std::abs(a.line - b.line) <= lines;
}

} // namespace

/// Whether `thread` saw two variables that another thread changes together, one before and one
/// after the change; then tells it.
bool teller::tell_torn_pair(u32 thread, const std::vector<u64>& reads) {
    if (reads.size() < 2) return false;
    collect({reads[1], reads[0]});
    view seen[2];
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const step& s = steps[i];
        view& v = seen[s.variable];
        if (s.thread == thread && s.writes) return false; // it changes them itself: another story
        if (s.thread == thread) {
            v.read = i;
            v.is_read = true;
            v.reads_at = s.place;
        } else if (s.thread != 0 && s.writes) {
            v.write = i;
            v.is_written = true;
            v.writer = s.thread;
            v.writes_at = s.place;
        }
    }
    // What this run did not come to: the change as the undisturbed program makes it.
    for (u32 i = 0; i < 2; ++i)
        for (const auto& w : known.writers)
            if (!seen[i].is_written && w.address == variables[i].address && w.thread != 0 &&
                w.thread != thread) {
                seen[i].is_written = true;
                seen[i].write = steps.size();
                seen[i].writer = w.thread;
                seen[i].writes_at = w.place;
            }
    const bool whole = seen[0].is_read && seen[1].is_read && seen[0].is_written &&
                       seen[1].is_written && seen[0].writer == seen[1].writer;
    if (!whole || seen[0].sees_new() == seen[1].sees_new()) return false;
    if (!near(seen[0].reads_at, seen[1].reads_at) || !near(seen[0].writes_at, seen[1].writes_at))
        return false;
    const u32 fresh = seen[0].sees_new() ? 0 : 1, stale = 1 - fresh;
    const std::string &one = variables[0].what.name, &two = variables[1].what.name;
    const std::string &now = variables[fresh].what.name, &then = variables[stale].what.name;
    f.variable = fmt::format("{}, {}", one, two);
    claim = fmt::format("Torn pair: {} sees `{}` before and `{}` after a change by {}",
                        who(thread),
                        then,
                        now,
                        who(seen[0].writer));
    why = fmt::format("{} changes `{}` and `{}` one after the other. {} looked in between: it has "
                      "the new `{}` and the old `{}`.",
                      who(seen[0].writer),
                      one,
                      two,
                      capital(who(thread)),
                      now,
                      then);
    advice = "one mutex, held around both writes and around both reads.";
    const std::size_t from =
        std::min({seen[0].read, seen[0].write, seen[1].read, seen[1].write, steps.size()});
    steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(from));
    if (steps.size() > max_rows) steps.resize(max_rows);
    return true;
}

} // namespace heddle::check
