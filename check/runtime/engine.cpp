#include "engine.hpp"

#include "choices.hpp"
#include "descriptors.hpp"
#include "failure.hpp"
#include "record.hpp"
#include "second_look.hpp"
#include "shadow.hpp"

#include <linux/futex.h>

/// A debugger's breakpoint: see `heddle replay --gdb`.
HEDDLE_HOOK __attribute__((noinline)) void heddle_story_begins() {
    asm volatile("");
}

namespace heddle::check::rt {

engine g;
constinit thread_local thread* self __attribute__((tls_model("initial-exec")));

namespace {

/// Reads without a change after which a thread counts as spinning.
constexpr u32 spin_reads = 500;
/// Yields in a row after which a thread counts as spinning.
constexpr u32 many_yields = 32;
/// Steps after which others get the turn even if the running thread would go on.
constexpr u64 long_slice = 4000;
/// Points at plain accesses after which only every second access is one, and so on after as many
/// again: a long run is then no slower than others, and has no more departures than are kept.
constexpr u32 points_before_thinning = 1u << 14;
/// How far ahead a deadline may lie for its wait to end early: a machine can be that slow.
constexpr i64 plausible_delay_ns = 1'000'000'000;
constexpr i64 step_ns = 20;

void wait_for_turn(thread* t) {
    while (__atomic_load_n(&t->turn, __ATOMIC_ACQUIRE) == 0) // pairs with give_turn()
        kernel(SYS_futex, as_long(&t->turn), FUTEX_WAIT_PRIVATE, 0, 0);
    __atomic_store_n(&t->turn, 0, __ATOMIC_RELAXED); // only the owner waits on it
}

/// What the turn's new owner counts by goes on from where it was.
void take_up(thread* t) {
    const u64 missed = g.step - t->gave_at;
    t->missed += missed;
    t->changed_at += missed;
    t->yielded_at += missed;
    t->slice = t->turn_began = g.step;
}

void set_attention() {
    const thread* t = g.current;
    u64 next = g.alarm;
    if (t->slice + long_slice + 1 < next) next = t->slice + long_slice + 1;
    if (t->changed_at + spin_reads + 1 < next) next = t->changed_at + spin_reads + 1;
    g.attention = g.recording || (g.every_access && g.watching) ? 0 : next;
    g.usual_until = g.solo || g.watching ? 0 : g.attention;
}

void give_turn(thread* to) {
    g.current->gave_at = g.step;
    g.current->own_steps += g.step - g.current->turn_began;
    g.current = to;
    take_up(to);
    set_alarm();
    g.shared->child_thread = static_cast<u32>(to->kernel_id);
    __atomic_store_n(&to->turn, 1, __ATOMIC_RELEASE); // pairs with wait_for_turn()
    kernel(SYS_futex, as_long(&to->turn), FUTEX_WAKE_PRIVATE, 1);
}

/// What decide() chooses from, as the strategy sees it. What is small stands first: a run of few
/// threads touches one page of it.
struct lineup {
    u32 count, current, fallback;
    bool idle; // the current thread goes round and round, and another one would not
    candidate list[max_threads];
};
lineup line;
constinit strategy search; // all zeroes before it begins, for the same reason

thread* thread_at(u32 index) {
    return g.threads[line.list[index].thread];
}

candidate describe(thread* t, bool early) {
    return {t->id,
            t->pending,
            t->pending_writes,
            early,
            t->at_main_end,
            t->pending_pc == 0 ? 0 : location_id(t->pending_pc),
            t->pending_address == 0 ? 0 : object_id(t->pending_address),
            t->serial,
            only_waits(t),
            t->locks > 0,
            t->again};
}

/// Wake-ups without a reason in one run: one shows the bug, and then time is better spent.
constexpr u32 most_spurious = 2;

bool may_wake_spuriously(const thread* t) {
    return t->waiting == wait_for::condition && t->deadline == never &&
           (is_replay() || (g.search->spurious_wakeups() && g.spurious < most_spurious));
}

bool may_end_early(const thread* t, i64 now) {
    if (t->state != thread::blocked) return false;
    if (t->deadline == never) return may_wake_spuriously(t);
    if (t->sleeping) return true;
    const bool allowed = is_replay() || g.search->early_timeouts();
    return allowed && t->deadline - now <= plausible_delay_ns;
}

/// The default among several: in cyclic order after `me`, and `me` itself last.
void follow(u32& next, u32 index, const thread* me) {
    if (next == max_threads) next = index;
    const bool had_passed = thread_at(next)->id > me->id;
    if (thread_at(index)->id > me->id && !had_passed) next = index;
}

/// Fills `line`; returns false when nobody can run, now or later.
bool line_up(thread* me, bool stays, bool yielding) {
    const i64 now = clock_ns();
    line.count = 0;
    line.current = max_threads;
    thread* first_due = nullptr;
    // The default among those that can run at once, and among those of them who have work to do.
    u32 prompt = max_threads, busy = max_threads;
    const bool goes_round = stays && sees_the_same_for_long(me);
    for (u32 i = 0; i < g.count; ++i) {
        thread* t = g.threads[i];
        const bool waits = t->state == thread::blocked && t->deadline != never;
        const bool due = waits && t->deadline <= now;
        const bool runs = t->state == thread::ready && (t != me || stays);
        if (waits && (first_due == nullptr || t->deadline < first_due->deadline)) first_due = t;
        if (!runs && !due && !may_end_early(t, now)) continue;
        const u32 index = line.count++;
        line.list[index] = describe(t, !runs && !due);
        if (t == me && runs) line.current = index;
        if (!runs && !due) continue;
        follow(prompt, index, me);
        if (t != me && !sees_the_same_for_long(t)) follow(busy, index, me);
    }
    if (line.current == max_threads) line.current = line.count;
    line.idle = goes_round && busy != max_threads;
    line.fallback = busy != max_threads && (line.idle || yielding) ? busy : prompt;
    if (line.current < line.count && !yielding && !line.idle) line.fallback = line.current;
    if (line.fallback != max_threads) return true;
    if (first_due == nullptr) return false;
    for (u32 i = 0; i < line.count; ++i)
        if (thread_at(i) == first_due) line.fallback = i;
    if (line.fallback == max_threads) { // not plausible to end early, but nobody else can run
        line.list[line.count] = describe(first_due, true);
        line.fallback = line.count++;
        line.current = line.current == line.count - 1 ? line.count : line.current;
    }
    return true;
}

u32 index_of(u32 thread_id) {
    for (u32 i = 0; i < line.count; ++i)
        if (line.list[i].thread == thread_id) return i;
    return max_threads;
}

u32 pick(bool yielding) {
    if (g.looking_again) return line.fallback; // the run is over
    if (is_replay()) {
        const choice* c = recorded(choice::thread);
        if (c == nullptr) return line.fallback;
        const u32 index = index_of(c->value);
        if (index != max_threads) return index;
        if (g.shared->config.replay == replaying::exactly) fail_diverged(g.step, 0, 0);
        return line.fallback;
    }
    if (line.count == 1 || g.fair || choices_full()) return line.fallback;
    const bool waits = line.current < line.count && line.list[line.current].only_waits;
    if (!waits) ++g.shared->result.points;
    const situation now{line.list,
                        line.count,
                        line.current,
                        yielding,
                        yielding && (self->spinning || self->yields > many_yields),
                        line.fallback,
                        g.shared->location_count,
                        g.shared->result.points};
    const u32 chosen = g.search->choose(now);
    return chosen < line.count ? chosen : line.fallback;
}

/// Every change of turn leaves a hash that a replay must meet again.
void checkpoint(thread* next) {
    if (g.looking_again) return;
    run_result& r = g.shared->result;
    g.hash = combine(g.hash,
                     (u64{next->id} << 32) ^ (static_cast<u64>(next->pending) << 16) ^
                         (next->pending_pc & 0xfff) ^ g.step);
    r.hash = g.hash;
    if (r.checkpoints >= max_checkpoints) return;
    const u32 value = static_cast<u32>(g.hash);
    const u32 index = r.checkpoints++;
    g.shared->checkpoints_out[index] = value;
    if (is_replay() && index < g.shared->config.checkpoints &&
        g.shared->checkpoints_in[index] != value)
        fail_diverged(g.step, g.shared->checkpoints_in[index], value);
}

/// For those who try the other ways to go on from a recorded run.
void note_decision(u32 chosen) {
    run_result& r = g.shared->result;
    if (!g.recording || r.decisions >= max_decisions) return;
    decision d{g.step, 0, line.current < line.count && !line.idle, 0};
    for (u32 i = 0; i < line.count; ++i)
        if (i != chosen && !line.list[i].early && line.list[i].thread < 64)
            d.others |= u64{1} << line.list[i].thread;
    if (d.others != 0) g.shared->decisions[r.decisions++] = d;
}

/// A sleep or timed wait ends by its time, or a wait on a condition variable for no reason.
void end_wait(thread* t) {
    if (t->deadline == never) {
        t->spurious = true;
        ++g.spurious;
        return wake(t);
    }
    const i64 now = clock_ns();
    if (t->deadline > now) g.jumped_ns += t->deadline - now;
    t->timed_out = true;
    t->state = thread::ready;
}

/// The one place where the turn changes hands. `stays`: the caller can go on itself.
void decide(bool stays, bool yielding, bool leaves = false) {
    thread* me = self;
    __atomic_store_n(&g.shared->heartbeat, g.step, __ATOMIC_RELAXED); // read by a watchdog only
    const u64 debug_step = g.shared->config.debug_step;
    if (debug_step != 0 && g.step >= debug_step && !g.told_debugger) {
        g.told_debugger = true;
        set_alarm();
        heddle_story_begins();
    }
    if (g.step >= g.step_limit) {
        // An unjust schedule can keep any program from ending: a just one gets as many steps again.
        if (g.fair || g.shared->config.schedule <= 1) fail_steps();
        g.fair = true;
        g.step_limit *= 2;
        set_alarm();
    }
    if (g.shared->config.schedule > 1 && all_spin_for_ever()) fail_steps();
    if (g.looking_again && goes_on_after_look(leaves)) fail_blocked();
    bool anybody = line_up(me, stays, yielding);
    if (leaves && g.alive == 0) return; // the last thread ends: so does the process
    // Before time flies, or it is all over, whatever has come from outside is looked at.
    const bool waits = !anybody || line.list[line.fallback].early;
    if (waits && (wake_ready() || (!anybody && wait_for_outside())))
        anybody = line_up(me, me->state == thread::ready, yielding);
    if (!anybody) {
        give_up_if_signals_come_from_outside();
        note_blocked();
        if (!begin_second_look()) fail_blocked();
        line_up(me, me->state == thread::ready, yielding);
    }
    const u32 chosen = pick(yielding);
    note_decision(chosen);
    thread* next = thread_at(chosen);
    if (chosen != line.fallback) log_choice(choice::thread, next->id);
    if (next->state == thread::blocked) end_wait(next);
    if (next == me) return;
    checkpoint(next);
    if (stays && !line.idle && !g.looking_again) ++g.shared->result.switches;
    flush_write(me);
    give_turn(next);
    if (!leaves) wait_for_turn(me);
}

void announce(thread* t, op kind, u64 address, u64 pc, bool writes) {
    t->pending = kind;
    t->again = address != 0 && address == t->pending_address;
    t->pending_address = address;
    t->pending_pc = pc;
    t->pending_writes = writes;
    ++t->serial;
}

/// Time flies for a thread that spins while all others sleep.
void pass_time(thread* t) {
    if (t->changed_at > t->yielded_at) t->yields = 0;
    t->yielded_at = g.step;
    const u32 doublings = t->yields < 24 ? t->yields : 24;
    g.jumped_ns += i64{10'000} << doublings;
    ++t->yields;
}

/// Whether the plain access at `pc` is to be a point; not told in replays, which know their points.
bool is_plain_point(u64 pc) {
    if (!g.watching || (!g.every_access && location_id(pc) == 0)) return false;
    const u32 halvings = g.plain_seen / points_before_thinning;
    if ((mix(g.step) & ((u64{1} << halvings) - 1)) != 0) return false;
    ++g.plain_seen;
    return true;
}

/// The step is counted: the turn may be lost now.
void arrive(op kind, u64 address, u64 pc, bool writes) {
    thread* t = self;
    flush_write(t);
    announce(t, kind, address, pc, writes);
    const bool plain = kind == op::read || kind == op::write; // a replay does not come by here
    t->goes_round = !plain && look_for_round(pc, address, t->intent);
    t->intent = 0;
    if (writes) t->changed_at = g.step;
    bool yielding = false;
    if (quiet_steps() > spin_reads) {
        yielding = true;
        t->spinning = true;
        pass_time(t);
        t->missed += quiet_steps(); // no change of its own: see generation_of()
        t->changed_at = t->yielded_at = g.step;
    } else if (g.step - t->slice > long_slice) {
        yielding = true;
        t->spinning = true;
        t->slice = g.step;
        g.jumped_ns += 2'000'000;
    }
    decide(true, yielding);
    t->spinning = false;
    set_attention();
}

} // namespace

void set_alarm() {
    const run_config& c = g.shared->config;
    u64 next = g.step_limit;
    if (c.debug_step > g.step && c.debug_step < next) next = c.debug_step;
    const u64 due = next_choice_step();
    g.alarm = due < next ? due : next;
    set_attention();
}

void count_changed() {
    g.solo = g.unjoined == 0;
    g.watching = g.plain_points && g.alive - g.asleep > 1;
    if (g.current != nullptr) set_attention();
}

void advance_clock(thread* t) {
    const u32 time = t->clock.get(t->id) + 1;
    t->clock.set(t->id, time);
    t->epoch = shadow_epoch(t->id, time);
}

void point(op kind, u64 address, u64 pc, bool writes) {
    ++g.step;
    arrive(kind, address, pc, writes);
}

void plain_point(u64 address, u64 pc, bool write) {
    const thread* t = self;
    if (t->open_write != nullptr) flush_write(self);
    const bool now = g.step >= g.alarm || quiet_steps() > spin_reads ||
                     g.step - t->slice > long_slice || is_plain_point(pc);
    if (now) arrive(write ? op::write : op::read, address, pc, write);
    else set_attention();
}

void yield_turn(op kind, u64 pc) {
    thread* t = self;
    flush_write(t);
    ++g.step;
    announce(t, kind, 0, pc, false);
    t->goes_round = look_for_round(pc, 0, 0);
    pass_time(t);
    decide(true, true);
    note_fruitless({pc, 0, 0, 0, 0, false, 0});
}

bool block(wait_for what, u64 address, i64 deadline, u64 pc, bool sleeping) {
    thread* t = self;
    flush_write(t);
    ++g.step;
    t->state = thread::blocked;
    t->goes_round = false;
    t->waiting = what;
    t->wait_address = address;
    t->wait_since = g.step;
    t->deadline = deadline;
    t->sleeping = sleeping;
    if (deadline == never) ++g.asleep;
    count_changed();
    t->timed_out = t->spurious = false;
    t->pending_pc = pc;
    t->wait_where = here(pc);
    t->wait_key = place_key(pc);
    ++t->serial;
    look_for_cycle(t);
    decide(false, false);
    t->waiting = wait_for::nothing;
    t->changed_at = g.step;
    t->clock_reads = 0;
    set_attention();
    return !t->timed_out;
}

void wake(thread* t) {
    if (t->deadline == never) --g.asleep;
    t->state = thread::ready;
    t->deadline = never;
    count_changed();
}

u32 waiters(wait_for what, u64 address, thread** into) {
    u32 n = 0;
    for (u32 i = 0; i < g.count; ++i) {
        thread* t = g.threads[i];
        if (t->state != thread::blocked || t->waiting != what || t->wait_address != address)
            continue;
        u32 at = n++;
        for (; at > 0 && into[at - 1]->wait_since > t->wait_since; --at) into[at] = into[at - 1];
        into[at] = t;
    }
    return n;
}

u32 wake_all(wait_for what, u64 address) {
    u32 n = 0;
    for (u32 i = 0; i < g.count; ++i) {
        thread* t = g.threads[i];
        if (t->state != thread::blocked || t->waiting != what || t->wait_address != address)
            continue;
        wake(t);
        ++n;
    }
    return n;
}

u32 choose_waiter(u32 n) {
    ++g.step;
    u32 chosen = 0;
    if (is_replay()) {
        if (const choice* c = recorded(choice::waiter)) chosen = c->value;
        if (chosen >= n) chosen = 0;
    } else if (!choices_full()) {
        chosen = g.search->choose_waiter(n);
    }
    if (chosen != 0) log_choice(choice::waiter, chosen);
    return chosen;
}

void begin_thread(thread* t) {
    self = t;
    t->kernel_id = static_cast<int>(kernel(SYS_gettid));
    wait_for_turn(t);
    g.shared->child_thread = static_cast<u32>(t->kernel_id);
}

void end_thread() {
    thread* t = self;
    flush_write(t);
    ++g.step;
    t->state = thread::finished;
    --g.alive;
    count_changed();
    wake_all(wait_for::join, address_of(t));
    decide(false, false, true);
}

i64 clock_ns() {
    return g.jumped_ns + static_cast<i64>(g.step) * step_ns;
}

void begin_run() {
    const run_config& c = g.shared->config;
    g.search = &search;
    search.begin(is_replay() ? strategy_kind::in_order : c.strategy, c.seed, c.schedule, c.points);
    g.shared->result.strategy = search.kind();
    g.shared->result.preset = search.preset();
    g.plain_points = !is_replay() || c.record != 0; // a record lists what could have been chosen
    g.every_access = search.every_access();
    g.recording = c.record != 0;
    g.step_limit = c.step_limit;
    g.current = self;
    g.controlled = true;
    self->kernel_id = static_cast<int>(kernel(SYS_gettid));
    g.shared->child_thread = static_cast<u32>(self->kernel_id);
    set_alarm();
    if (c.debug_step != 0)
        kernel(SYS_kill, kernel(SYS_getpid), 19); // SIGSTOP: the debugger attaches
}

} // namespace heddle::check::rt
