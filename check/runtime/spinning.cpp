#include "spinning.hpp"

#include "heap.hpp"
#include "record.hpp"
#include "sync.hpp"

namespace heddle::check::rt {

namespace {

/// Rounds after which a loop is thought to wait: more than libstdc++ and most others spin before
/// they sleep, which is to go on undisturbed.
constexpr u32 patience = 64;
/// Rounds after which nobody is thought to count them any more. Some milliseconds.
constexpr u32 hopeless = 30'000;

/// The same until the thread changes something, whatever others do meanwhile.
u64 generation_of(const thread* t) {
    return t->changed_at - t->missed;
}

u64 owner_of(u64 address) {
    const sync_object* o = find_sync(address);
    return o == nullptr ? 0 : address_of(o->owner);
}

/// Whether it lies in a frame of a function that has not returned.
bool in_live_frame(u64 address) {
    if (address < g.stacks_low || address >= g.stacks_high) return false;
    for (u32 i = g.count; i > 0; --i) {
        const thread* t = g.threads[i - 1];
        if (address < t->stack_low || address + 8 > t->stack_high) continue;
        const u32 depth = t->depth < t->room ? t->depth : t->room;
        return t->state != thread::finished && depth > 0 && address >= t->stack[depth - 1].low;
    }
    return false;
}

/// What stands there now. Memory that is gone reads as 0: the thread that goes there will crash.
u64 value_now(const fruitless& f) {
    if (f.is_lock) return owner_of(f.address);
    const module_info& program = g.shared->module[0];
    const bool sure = in_heap(f.address) ||
                      (f.address >= program.begin && f.address + 8 <= program.end) ||
                      in_live_frame(f.address);
    if (!sure) return value_at(f.address, f.size); // asks the kernel first
    switch (f.size) {
    case 1: return *reinterpret_cast<const volatile u8*>(f.address);
    case 2: return *reinterpret_cast<const volatile u16*>(f.address);
    case 4: return *reinterpret_cast<const volatile u32*>(f.address);
    default: return *reinterpret_cast<const volatile u64*>(f.address);
    }
}

fruitless* find(spin_memory& m, u64 pc, u64 address, u64 intent) {
    for (u32 i = 0; i < m.count; ++i) {
        fruitless& f = m.seen[i];
        if (f.pc == pc && f.address == address && f.intent == intent) return &f;
    }
    return nullptr;
}

/// Whether all that it saw on its round is as it was.
bool sees_the_same(const thread* t) {
    for (u32 i = 0; i < t->spin.count; ++i) {
        const fruitless& f = t->spin.seen[i];
        if ((f.size != 0 || f.is_lock) && value_now(f) != f.value) return false;
    }
    return true;
}

bool long_on_its_round(const thread* t) {
    return t->spin.repeats >= patience * t->spin.count;
}

} // namespace

bool look_for_round(u64 pc, u64 address, u64 intent) {
    spin_memory& m = self->spin;
    if (m.count == 0 || m.generation != generation_of(self)) return false;
    if (find(m, pc, address, intent) != nullptr) return true;
    if (m.repeats == 0) return false; // still on its first round
    if (m.repeats >= m.count && sees_the_same(self))
        for (u32 i = 0; i < m.count; ++i) g.places[m.seen[i].place].gives_up = 1;
    m.count = m.repeats = 0;
    return false;
}

void note_fruitless(const fruitless& what) {
    spin_memory& m = self->spin;
    const u64 generation = generation_of(self);
    if (m.generation != generation) m.count = m.repeats = 0;
    m.generation = generation;
    const fruitless* before = find(m, what.pc, what.address, what.intent);
    if (before != nullptr && before->value == what.value) {
        ++m.repeats;
        return;
    }
    // It saw something new.
    if (before != nullptr && long_on_its_round(self))
        for (u32 i = 0; i < m.count; ++i) g.places[m.seen[i].place].waits = 1;
    if (before != nullptr || m.count == longest_round) m.count = 0;
    m.repeats = 0;
    m.seen[m.count] = what;
    m.seen[m.count++].place = location_of(what.pc);
}

bool sees_the_same_for_long(const thread* t) {
    return t->goes_round && long_on_its_round(t) && sees_the_same(t);
}

bool all_spin_for_ever() {
    const auto has_hope = [](const thread* t) {
        return !t->goes_round || t->spin.repeats < hopeless * t->spin.count || t->clock_reads > 0;
    };
    if (has_hope(self)) return false;
    for (u32 i = 0; i < g.count; ++i) {
        const thread* t = g.threads[i];
        if (t->state == thread::blocked && t->deadline != never) return false;
        if (t->state == thread::ready && (has_hope(t) || !sees_the_same(t))) return false;
    }
    return true;
}

bool only_waits(const thread* t) {
    if (!t->goes_round) return false;
    bool known = true;
    for (u32 i = 0; i < t->spin.count; ++i) {
        const location& l = g.places[t->spin.seen[i].place];
        if (l.gives_up != 0) return false;
        known = known && l.waits != 0;
    }
    return (known || long_on_its_round(t)) && sees_the_same(t);
}

} // namespace heddle::check::rt
