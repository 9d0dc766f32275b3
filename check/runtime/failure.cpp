#include "failure.hpp"

#include "heap.hpp"
#include "record.hpp"
#include "second_look.hpp"
#include "sync.hpp"

#include <signal.h>
#include <ucontext.h>

#include <cstring>

namespace heddle::check::rt {

namespace {

[[noreturn]] void end_run(failure kind, u64 signature) {
    if (g.looking_again) kernel(SYS_exit_group, 0); // it went on: see note_blocked()
    run_result& r = g.shared->result;
    r.signature = signature == 0 ? 1 : signature;
    r.steps = g.step;
    r.threads = g.count;
    if (self != nullptr) r.failing_thread = self->id;
    if (self != nullptr && g.recording) {
        flush_write(self);
        if (kind != failure::diverged) record(op::fail, r.at.address, r.at.where.pc[0]);
    }
    r.kind = kind;
    kernel(SYS_exit_group, 0);
    __builtin_unreachable();
}

blocked_thread describe(thread* t) {
    blocked_thread b{};
    b.thread = t->id;
    b.what = t->waiting;
    b.owner = max_threads;
    b.address = t->wait_address;
    b.since_step = t->wait_since;
    b.where = t->wait_where;
    if (t->waiting == wait_for::join) {
        b.owner = reinterpret_cast<thread*>(t->wait_address)->id;
        return b;
    }
    b.what_object = object_at(t->wait_address);
    const sync_object* o = find_sync(t->wait_address);
    if (o == nullptr) return b;
    b.missed = o->missed;
    b.missed_step = o->missed_step;
    if (o->owner != nullptr) {
        b.owner = o->owner->id;
        b.held_from = o->held_from;
    }
    if (t->waiting == wait_for::futex)
        b.changed = value_at(t->wait_address, 4) != (t->wait_value & 0xffffffff);
    return b;
}

/// What the calling thread was about to do.
run_result& note_use(u64 address, u32 size, bool write, u64 pc) {
    run_result& r = g.shared->result;
    r.at.thread = self->id;
    r.at.write = write;
    r.at.size = static_cast<u8>(size);
    r.at.address = address;
    r.at.step = g.step;
    r.at.where = here(pc);
    return r;
}

thread* lock_owner(const thread* t) {
    if (t->state != thread::blocked || t->deadline != never) return nullptr;
    if (t->waiting == wait_for::join) return reinterpret_cast<thread*>(t->wait_address);
    if (t->waiting != wait_for::mutex && t->waiting != wait_for::write_lock &&
        t->waiting != wait_for::read_lock && t->waiting != wait_for::spin &&
        t->waiting != wait_for::once && t->waiting != wait_for::guard)
        return nullptr;
    const sync_object* o = find_sync(t->wait_address);
    return o == nullptr ? nullptr : o->owner;
}

u64 deadlock_signature;

/// Of what result.block tells.
u64 blocked_signature(failure kind) {
    run_result& r = g.shared->result;
    u64 cycle = 0, all = 0;
    for (u32 i = 0; i < r.blocked; ++i) {
        const blocked_thread& b = r.block[i];
        const u64 one = combine(static_cast<u64>(kind), g.threads[b.thread]->wait_key);
        if (b.in_cycle) cycle += one;
        const bool tells = b.what == wait_for::condition || b.what == wait_for::futex;
        if (kind != failure::lost_wakeup || tells) all ^= mix(one);
    }
    if (r.blocked > 0) {
        r.at.where = r.block[0].where;
        r.at.thread = r.block[0].thread;
        r.at.address = r.block[0].address;
    }
    const u64 signature = cycle != 0 ? cycle : all;
    return signature == 0 ? 1 : signature;
}

} // namespace

bool known(u64 signature) {
    if (signature == 0) signature = 1;
    for (u64 i = signature, tries = 0; tries < max_known; ++i, ++tries) {
        u64& k = g.shared->known[i % max_known];
        if (k == signature) return true;
        if (k == 0) {
            k = signature;
            return false;
        }
    }
    return true;
}

namespace {

constexpr u32 max_alike = 8; // races of two places that differ only in the variable

/// The same for the same variable in every run, recorded or not; locals have none.
u64 object_key(u64 address, const object& o) {
    if (o.kind == object::module) return address;
    return o.kind == object::heap ? block_key(address) : 0;
}

/// True for a race to be told. The places of a function with a reference are those of many races,
/// but the elements of an array are not to be told one by one.
bool is_new_race(u64 places, u64 signature) {
    if (known(signature)) return false;
    for (u32 i = 1; i <= max_alike; ++i)
        if (!known(combine(places, i))) return true;
    return false;
}

} // namespace

void report_race(const access& first, const access& second, u64 second_pc) {
    if (g.looking_again) return; // the run is over
    // Not second.where: a recorded run begins that at the program's own line.
    const u64 a = first.where.pc[0], b = second_pc;
    const u64 places = combine(a < b ? a : b, a < b ? b : a);
    const object what = object_at(second.address);
    const u64 signature = combine(places, object_key(second.address, what));
    run_result& r = g.shared->result;
    for (u32 i = 0; i < r.races; ++i)
        if (r.race[i].signature == signature) return;
    const run_config& config = g.shared->config;
    if (config.replay == replaying::nothing && !is_new_race(places, signature)) return;
    if (r.races == max_races && (config.replay == replaying::nothing || signature != config.wanted))
        return;
    auto& race = r.race[r.races == max_races ? max_races - 1 : r.races++];
    race.first = first;
    race.second = second;
    race.what = what;
    race.signature = signature;
    race.steps = g.step;
    race.choices = r.choices;
}

void fail_use_after_free(u64 address, u32 size, bool write, u64 pc) {
    run_result& r = note_use(address, size, write, pc);
    r.what = object_at(address);
    describe_free(address, r.other);
    end_run(failure::use_after_free,
            combine(static_cast<u64>(failure::use_after_free), block_key(address)));
}

void fail_dead_frame(u64 address, u32 size, bool write, u64 pc, u32 owner, const dead_frame& gone) {
    run_result& r = note_use(address, size, write, pc);
    r.what.kind = object::stack;
    r.what.thread = r.other.thread = owner;
    r.what.frame_pc = gone.inside;
    r.what.frame_cfa = gone.end;
    r.other.step = gone.step;
    r.other.where.count = gone.inside == 0 ? 0 : 2;
    r.other.where.pc[0] = gone.pc;
    r.other.where.pc[1] = gone.back;
    end_run(failure::use_after_free, combine(static_cast<u64>(failure::use_after_free), pc));
}

void fail_double_free(u64 address, u64 pc) {
    run_result& r = g.shared->result;
    r.at.thread = self->id;
    r.at.address = address;
    r.at.step = g.step;
    r.at.where = here(pc);
    r.what = object_at(address);
    describe_free(address, r.other);
    end_run(failure::double_free,
            combine(static_cast<u64>(failure::double_free), block_key(address)));
}

void note_blocked() {
    if (g.looking_again) return; // noted before it began
    run_result& r = g.shared->result;
    for (u32 i = 0; i < g.count; ++i) {
        const thread* t = g.threads[i];
        if (t->state != thread::blocked || t->waiting != wait_for::nothing_ends) continue;
        r.at.where = t->wait_where;
        r.at.thread = t->id;
        r.block[r.blocked++] = describe(g.threads[i]);
        end_run(failure::livelock, combine(static_cast<u64>(failure::livelock), t->wait_key));
    }
    for (u32 i = 0; i < g.count && r.blocked < max_blocked; ++i)
        if (g.threads[i]->state == thread::blocked) r.block[r.blocked++] = describe(g.threads[i]);
    // How it ends if the process should end before anything else is known.
    r.steps = g.step;
    r.threads = g.count;
    r.failing_thread = self->id;
    r.signature = blocked_signature(failure::lost_wakeup);
    deadlock_signature = blocked_signature(failure::deadlock);
    r.kind = failure::lost_wakeup;
    record(op::fail, r.at.address, r.at.where.pc[0]);
}

void fail_blocked() {
    run_result& r = g.shared->result;
    bool lost = waits_elsewhere();
    for (u32 i = 0; i < r.blocked; ++i) lost |= r.block[i].goes_on != 0;
    if (!lost) {
        r.kind = failure::deadlock;
        r.signature = deadlock_signature;
    }
    kernel(SYS_exit_group, 0);
    __builtin_unreachable();
}

void look_for_cycle(thread* t) {
    thread* at = lock_owner(t);
    for (u32 hops = 0; at != nullptr && hops < g.count; ++hops) {
        if (at != t) {
            at = lock_owner(at);
            continue;
        }
        run_result& r = g.shared->result;
        do {
            if (r.blocked == max_blocked) break;
            blocked_thread& b = r.block[r.blocked++];
            b = describe(at);
            b.in_cycle = 1;
            at = lock_owner(at);
        } while (at != t);
        end_run(failure::deadlock, blocked_signature(failure::deadlock));
    }
}

void fail_steps() {
    run_result& r = g.shared->result;
    r.at.where = here(self->pending_pc);
    r.at.thread = self->id;
    end_run(g.shared->config.schedule <= 1 ? failure::endless : failure::livelock, 77);
}

void fail_diverged(u64 step, u64 wanted, u64 found) {
    run_result& r = g.shared->result;
    r.diverged_step = step;
    r.hash_wanted = wanted;
    r.hash_found = found;
    end_run(failure::diverged, 78);
}

void fail_text(failure kind, const char* text, u64 signature, u64 pc) {
    run_result& r = g.shared->result;
    std::strncpy(r.text, text, sizeof r.text - 1);
    r.at.thread = self == nullptr ? 0 : self->id;
    r.at.step = g.step;
    if (self != nullptr) r.at.where = g.recording ? unwound_here(pc) : here(pc);
    if (signature == 0)
        signature = combine(static_cast<u64>(kind), self == nullptr ? pc : place_key(pc));
    end_run(kind, signature);
}

void fail_crash(int signal, u64 pc, u64 address) {
    run_result& r = g.shared->result;
    r.signal = static_cast<u32>(signal);
    r.at.address = address;
    r.at.thread = self == nullptr ? 0 : self->id;
    r.at.step = g.step;
    if (self != nullptr) r.at.where = here(pc);
    if (signal == SIGABRT && self != nullptr) r.at.where = unwound_here(pc);
    end_run(failure::crash,
            combine(combine(static_cast<u64>(failure::crash), pc), static_cast<u64>(signal)));
}

namespace {

void on_crash(int number, siginfo_t* info, void* context) {
    const auto* u = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
    const u64 pc = static_cast<u64>(u->uc_mcontext.gregs[REG_RIP]);
#else
    const u64 pc = u->uc_mcontext.pc;
#endif
    // An address that no x86-64 program can have is not told by the kernel.
    const bool wild = number == SIGSEGV && info->si_code == SI_KERNEL;
    if (g.controlled) fail_crash(number, pc, wild ? ~u64{0} : address_of(info->si_addr));
    signal(number, SIG_DFL);
    raise(number);
}

} // namespace

void install_crash_handlers() {
    constexpr std::size_t size = 1u << 16;
    stack_t own{};
    own.ss_sp = map_pages(size); // a stack overflow leaves no room for the handler
    own.ss_size = size;
    sigaltstack(&own, nullptr);
    struct sigaction action{};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    constexpr int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (const int number : crashes) sigaction(number, &action, nullptr);
}

} // namespace heddle::check::rt
