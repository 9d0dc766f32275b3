// The kinds of failure, and how each is told. Those of threads that wait are in story_waits.cpp.
#include "story.hpp"

#include "teller.hpp"

#include <filesystem>
#include <set>

namespace heddle::check {

namespace {

std::string signal_text(const run_result& r) {
    constexpr u64 first_page = 4096;
    switch (r.signal) {
    case 6: return "abort() was called";
    case 7: return "a bus error (SIGBUS)";
    case 4: return "an illegal instruction (SIGILL)";
    case 8: return "a division by zero (SIGFPE)";
    case 11:
        if (r.at.address < first_page)
            return fmt::format("a null pointer was used (SIGSEGV, address {:#x})", r.at.address);
        if (r.at.address == ~u64{0})
            return "a wild pointer was used, perhaps one from freed memory (SIGSEGV)";
        return fmt::format("a wild pointer was used (SIGSEGV, address {:#x})", r.at.address);
    default: return fmt::format("signal {}", r.signal);
    }
}

/// "account.get() >= 0" of "bank.cpp:32: int main(): assertion `account.get() >= 0' failed".
std::string asserted(const std::string& text) {
    const auto from = text.find('`'), to = text.rfind('\'');
    return from == std::string::npos || to == std::string::npos || to <= from
               ? text
               : text.substr(from + 1, to - from - 1);
}

/// What libraries could make a data race none; empty when there is none that could.
std::string may_order(const channel& c) {
    std::string list;
    u32 n = 0;
    for (u32 i = 0; i < c.modules; ++i) {
        const module_info& m = c.module[i];
        if (m.instrumented != 0 || m.synchronises == 0 || ++n > 2) continue;
        list += (n == 1 ? "" : ", ") + std::filesystem::path(m.path).filename().string();
    }
    if (n == 0) return list;
    if (n > 2) list += " and others";
    return fmt::format("{} {} not instrumented. A lock or an atomic operation in there that orders "
                       "the two is not seen; then this is no race.",
                       list,
                       n == 1 ? "is" : "are");
}

bool no_exception(const run_result& r) {
    return std::string(r.text).find("without an exception") != std::string::npos;
}

/// The same in a row of the table.
std::string end_row(const finding& f, const run_result& r) {
    switch (f.kind) {
    case failure::assertion: return "assertion fails";
    case failure::uncaught_exception: return "throws, not caught";
    case failure::exit_code: return fmt::format("exit status {}", r.exit_status);
    case failure::livelock: return "still runs";
    default: return no_exception(r) ? "std::terminate()" : "crashes";
    }
}

} // namespace

std::string end_of(const run_result& r) {
    switch (r.kind) {
    case failure::assertion: return fmt::format("assertion `{}` fails", asserted(r.text));
    case failure::uncaught_exception: return fmt::format("nobody catches {}", r.text);
    case failure::crash:
        if (no_exception(r)) return "std::terminate() is called";
        return r.text[0] != 0 ? r.text : signal_text(r);
    case failure::exit_code: return fmt::format("exit status {}", r.exit_status);
    case failure::livelock:
        return r.blocked > 0 ? "a loop does not end" : "it does not end (livelock suspected)";
    case failure::deadlock: return "threads wait for each other (deadlock)";
    case failure::lost_wakeup: return "a thread sleeps for ever (lost wake-up)";
    case failure::use_after_free: return "freed memory is used";
    case failure::double_free: return "memory is freed twice";
    default: return "";
    }
}

void teller::remember(const source_place& p) const {
    if (p.file.empty() || p.line == 0) return;
    for (const auto& known_place : f.places)
        if (known_place.file == p.file && known_place.line == p.line) return;
    if (f.places.size() < 6) f.places.push_back(p);
}

/// Two threads are inside one container, pointer or stream at the same time.
void teller::tell_inside_library(const step& one, const step& two) {
    const bool race = f.kind == failure::data_race;
    const auto doing = [](const step& s) {
        return s.call.empty() ? where(s.place) : fmt::format("{}()", s.call);
    };
    claim = fmt::format("{} `{}`{}: {} and {} use it at the same time",
                        race ? "Data race on" : "Damaged",
                        f.variable,
                        race ? "" : " by a data race",
                        who(one.thread),
                        who(two.thread));
    const bool is_static = f.variable == c_library_memory;
    why = fmt::format("{} is in {} while {} is in {}, and one of them at least changes it. ",
                      who(one.thread),
                      doing(one),
                      who(two.thread),
                      doing(two));
    if (is_static) {
        why += "The function keeps its result in memory that is the same for all threads.";
        advice = "call the variant that is given the memory (localtime_r, strtok_r); or hold one "
                 "mutex around the call and every use of its result.";
        return;
    }
    why += "The standard library does not lock its objects: when one thread changes one, no other "
           "may even look at it.";
    advice = fmt::format("hold one mutex around every use of {}, reading ones too.",
                         f.variable.starts_with("an element") ? "the container" : it());
}

/// The race is on the pointer to the table of an object's virtual functions.
void teller::tell_virtual(const step& a, const step& b) {
    const step &changes = a.writes ? a : b, &calls = a.writes ? b : a;
    claim = fmt::format("Data race on `{}`: {} calls a virtual function while {} makes or destroys "
                        "the object",
                        f.variable,
                        who(calls.thread),
                        who(changes.thread));
    why = fmt::format("{} is in a constructor or destructor of {}, which changes what its virtual "
                      "functions are. {} calls one, and nothing makes one wait for the other: it "
                      "may be the base's, the derived one's, or none.",
                      who(changes.thread),
                      it(),
                      capital(who(calls.thread)));
    advice = "start the thread when the object is complete; join it before the destructor of the "
             "most derived class begins.";
}

namespace {

const char* verb(const access& a) {
    return a.write ? "writes" : "reads";
}

} // namespace

void teller::tell_unordered(const access& first, const access& second) {
    const std::string one = who(first.thread), other = who(second.thread);
    claim = fmt::format("Data race on `{}`: nothing orders {} and {}", f.variable, one, other);
    why = fmt::format("{} {} {} and {} {} it, and nothing makes one wait for the other: no common "
                      "lock, no join, no atomic. Either may come first, or both at once.",
                      one,
                      verb(first),
                      it(),
                      other,
                      verb(second));
}

void teller::tell_race() {
    const run_result& r = c.result;
    for (u32 i = 0; i < r.races && i < max_races; ++i) {
        const auto& race = r.race[i];
        if (race.signature != f.signature) continue;
        const access earlier = first_access(c, i);
        const source_place first = place(earlier.where);
        remember(first);
        remember(place(race.second.where));
        collect({race.second.address});
        f.variable = variables.front().what.name;
        f.message = fmt::format("data race on `{}`: {} {} it at {} while {} {} it at {}",
                                f.variable,
                                who(race.first.thread),
                                verb(race.first),
                                where(first),
                                who(race.second.thread),
                                verb(race.second),
                                where(place(race.second.where)));
        std::size_t two = 0;
        for (std::size_t s = 0; s < steps.size(); ++s)
            if (steps[s].thread == race.second.thread && steps[s].number <= race.second.step)
                two = s;
        // The row of the first access, or of what the library does in one go around it.
        std::size_t one = two;
        while (one > 0 &&
               (steps[one].thread != race.first.thread || steps[one].number > earlier.step))
            --one;
        pattern p = recognise(steps);
        const auto among = [&](std::size_t s) {
            return steps[s].thread == race.first.thread || steps[s].thread == race.second.thread;
        };
        const bool fits = p.kind == pattern::lost_update ||
                          (p.kind != pattern::none && (p.last == two || p.other == two));
        const bool inside = variables.front().what.library;
        if (inside || !fits || p.kind == pattern::unordered || !among(p.first) || !among(p.last))
            p = {pattern::unordered, one, one, two};
        const u32 before = race.first.thread, after = race.second.thread;
        tell_unordered(race.first, race.second);
        // All in headers of a library, called by no program line; or longer ago than was recorded.
        if (steps.empty() || one == two || (!inside && steps[one].thread != before)) {
            steps.clear();
            add_end(before, verb(race.first), first);
            add_end(after, verb(race.second), place(race.second.where));
            return;
        }
        const bool simple = p.kind == pattern::unordered;
        p = crop(p);
        if (inside) return tell_inside_library(steps[p.first], steps[p.last]);
        if (!simple) return explain(p);
        const step &a = steps[p.first], &b = steps[p.last];
        if (tell_unlocked_change(a, b, row_of(p.last)) ||
            tell_unlocked_change(b, a, row_of(p.first)))
            return;
        advice = fmt::format("hold one mutex at every use of {}; {}or start the second thread only "
                             "when the first is done.",
                             it(),
                             it().front() == '`' ? "or make it a std::atomic; " : "");
        if (variables.front().what.kind == value_kind::vptr) tell_virtual(a, b);
        return;
    }
}

void teller::tell_failure() {
    const run_result& r = c.result;
    const source_place at = place(r.at.where);
    remember(at);
    std::string end = end_of(r);
    if (f.kind == failure::exit_code) end += fmt::format(" (unperturbed {})", f.expected_exit);
    f.message = r.at.where.count > 0 ? end + " at " + where(at) : end;
    const u32 thread = f.kind == failure::exit_code  ? 0
                       : f.kind == failure::livelock ? r.at.thread
                                                     : r.failing_thread;
    const auto reads = shared_reads(thread, ~u64{0});
    if (!tell_torn_pair(thread, reads)) {
        variables.clear();
        steps.clear();
        if (!reads.empty()) tell_variable(reads.front(), thread);
    }
    add_end(thread, end_row(f, r), at);
    claim = claim.empty() ? capital(f.message) : claim + "; " + end;
    if (why.empty())
        why = fmt::format("{} fails in this schedule and not when the program runs unperturbed.",
                          who(thread));
    if (f.kind == failure::livelock && r.blocked > 0) {
        why = fmt::format("{} goes round a loop that looks at no variable any more: the compiler "
                          "read once, before the loop, what is plain and not changed inside. No "
                          "other thread can end it.",
                          who(thread));
        advice = "make what the loop waits for a std::atomic; better, wait on a condition "
                 "variable, a future or a std::latch.";
    }
    if (f.kind == failure::crash && no_exception(r)) {
        why +=
            " So it left on a way on which a std::thread was destroyed that had not been joined, "
            "which calls std::terminate().";
        advice =
            "join every std::thread on every way out, or use std::jthread, which joins itself.";
    }
}

void teller::tell_free() {
    const run_result& r = c.result;
    if (r.what.kind == object::stack) return tell_return();
    f.variable = names.variable_at(r.at.address, r.what).name;
    const auto inside = [&](const event& e) {
        return e.address >= r.what.base && e.address < r.what.base + std::max<u64>(r.what.size, 1);
    };
    // An access before shows that the user had the block for good.
    const event *before = nullptr, *free_event = nullptr;
    for (const event* e : events) {
        if (!inside(*e) || !names.in_program(e->where)) continue;
        if (e->kind == op::free && free_event == nullptr) free_event = e;
        if (is_access(e->kind) && free_event == nullptr && e->thread == r.at.thread) before = e;
    }
    const source_place use = place(r.at.where);
    const source_place freed = place(free_event == nullptr ? r.other.where : free_event->where);
    remember(use);
    remember(freed);
    const bool twice = f.kind == failure::double_free;
    const char* verb = twice ? "frees" : r.at.write ? "writes" : "reads";
    f.message = fmt::format("{} {} `{}` at {}, which {} freed at {}",
                            who(r.at.thread),
                            verb,
                            f.variable,
                            where(use),
                            who(r.other.thread),
                            where(freed));
    claim = fmt::format("{}: {} {} memory that {} has freed",
                        twice ? "Double free" : "Use after free",
                        who(r.at.thread),
                        verb,
                        who(r.other.thread));
    if (r.at.thread == r.other.thread)
        claim = fmt::format("{}: {} {} memory that it has freed itself",
                            twice ? "Double free" : "Use after free",
                            who(r.at.thread),
                            verb);
    variables.push_back({r.at.address, names.variable_at(r.at.address, r.what), ""});
    if (before != nullptr)
        add_line(*before, is_write(*before) ? "writes to the block" : "reads the block");
    if (free_event != nullptr) add_line(*free_event, "frees the block");
    add_end(r.at.thread, twice ? "frees it again" : fmt::format("{} the freed block", verb), use);
    const source_place made = place(r.what.site);
    why = made.file.empty() ? "" : fmt::format("the block was allocated at {}. ", where(made));
    why += fmt::format("{} freed it at {}, while {} still had a pointer to it and {} it at {}.",
                       capital(who(r.other.thread)),
                       where(freed),
                       who(r.at.thread),
                       twice ? "freed" : "used",
                       where(use));
    advice = "let the last user free it (std::shared_ptr), or join the users before it is freed.";
}

background background_of(const channel& c, const symbols& names) {
    background b;
    std::set<std::pair<u64, u32>> listed;
    for (const event* e : recorded_events(c)) {
        if (!is_write(*e) || !listed.insert({e->address, e->thread}).second) continue;
        const source_place p = names.place_of(e->where);
        if (names.in_program(e->where)) b.writers.push_back({e->address, e->thread, p});
    }
    return b;
}

void tell(finding& f, const channel& c, const symbols& names, const background& known) {
    const auto events = recorded_events(c);
    teller t{f, c, names, known, events, lock_wrappers(events, names), {}, {}, {}, {}, {}};
    f.threads = c.result.threads;
    f.switches = c.result.switches;
    f.places.clear();
    f.variable.clear();
    f.told = {};
    switch (f.kind) {
    case failure::data_race: t.tell_race(); break;
    case failure::use_after_free:
    case failure::double_free: t.tell_free(); break;
    case failure::deadlock:
    case failure::lost_wakeup: t.tell_blocked(); break;
    default: t.tell_failure(); t.tell_spurious_wakeup();
    }
    for (const auto& s : t.steps) t.remember(s.place);
    f.first_step = t.steps.empty() ? 0 : t.steps.front().number;
    t.fill_table();
    f.told.claim = t.claim;
    if (!t.why.empty()) f.told.notes.push_back({"Why", capital(t.why)});
    if (const std::string them = may_order(c); f.kind == failure::data_race && !them.empty())
        f.told.notes.push_back({"But", them});
    if (!t.advice.empty()) f.told.notes.push_back({"Try", capital(t.advice)});
}

void conclude(finding& f) {
    std::string switches = count(f.switches, "context switch");
    if (f.fewer_tried == 1) switches += " (fewest: the one schedule with fewer does not fail)";
    if (f.fewer_tried > 1)
        switches += fmt::format(" (fewest: all {} schedules with fewer were run, and none fails)",
                                f.fewer_tried);
    f.told.facts = fmt::format("{}, {}; found at schedule {} (seed {}, {})",
                               count(f.threads, "thread"),
                               switches,
                               f.schedule,
                               f.seed,
                               f.strategy);
    const auto before_advice = [&](const std::string& label, const std::string& text) {
        auto at = f.told.notes.end();
        if (at != f.told.notes.begin() && (at - 1)->label == "Try") --at;
        if (!text.empty()) f.told.notes.insert(at, {label, capital(text)});
    };
    before_advice("Effect", f.effect.text);
    if (f.follows)
        before_advice("Note", fmt::format("this is what the data race of {} leads to.", f.cause));
    else if (!f.cause.empty())
        before_advice(
            "Note", fmt::format("this run has the data race of {} too: mend that first.", f.cause));
}

} // namespace heddle::check
