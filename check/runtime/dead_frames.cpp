#include "dead_frames.hpp"

#include "failure.hpp"
#include "shadow.hpp"

namespace heddle::check::rt {

namespace {

constexpr u64 longest_look = 512; // words of a frame

/// Where the frame of the function that returns to `left.pc` ends, 0 if unknown. Its caller's
/// stack pointer, if that one is known and still the same, else the place of the return address:
/// the first word that looks like it, so that a wrong one only makes the dead part smaller.
u64 end_of_frame(const thread* t, const call& left, u64 low) {
    const u32 depth = t->depth; // of the caller: that of `left` has been taken away
    if (left.cfa != 0) return left.cfa;
    if (depth > 0) {
        const u64 callers = t->stack[depth - 1].low;
        if (callers > low && callers < t->stack_high &&
            reinterpret_cast<const u64*>(callers)[-1] == left.pc)
            return callers;
    }
    const auto* word = reinterpret_cast<const u64*>(low);
    const u64 room = (t->stack_high - low) / 8;
    const u64* limit = word + (room < longest_look ? room : longest_look);
    for (; word < limit; ++word)
        if (*word == left.pc) return address_of(word + 1);
    return 0;
}

void keep(thread* t, const dead_frame& fresh) {
    while (!g.recording && t->dead_count > 0 && t->dead[t->dead_count - 1].end <= fresh.end)
        --t->dead_count;
    if (t->dead_count == t->dead_room) {
        const u32 room = t->dead_room == 0 ? 32 : t->dead_room * 2;
        auto* more = arena_array<dead_frame>(room);
        for (u32 i = 0; i < t->dead_count; ++i) more[i] = t->dead[i];
        t->dead = more;
        t->dead_room = room;
    }
    t->dead[t->dead_count++] = fresh;
}

u64 own_time(const thread* t) {
    return t->epoch >> time_shift;
}

/// The thread whose stack it is, the newest if memory was used again; null if none.
thread* owner_of(u64 address) {
    for (u32 i = g.count; i > 0; --i) {
        thread* t = g.threads[i - 1];
        if (address >= t->stack_low && address < t->stack_high) return t;
    }
    return nullptr;
}

} // namespace

void end_frame(thread* t, const call& left, u64 low, u64 pc) {
    if (pc == left.pc) { // optimised code jumps to __tsan_func_exit(): its frame is gone already
        low = left.low;
        pc = left.inside;
    }
    if (low < t->stack_low || low >= t->stack_high) return; // a stack of the program's own making
    const u64 end = end_of_frame(t, left, low);
    if (end <= low) return;
    keep(t, {low, end, own_time(t), g.step, left.inside, pc, left.pc});
    // What others have used of it may as well come after: that is worth a switch.
    const u64 from = low > t->lent_low ? low : t->lent_low;
    const u64 to = end < t->lent_high ? end : t->lent_high;
    if (from < to) shadow_end(from, to - from);
}

void end_stack(thread* t) {
    keep(t, {t->stack_low, t->stack_high, own_time(t), g.step, 0, 0, 0});
}

void check_frame(u64 address, u32 size, bool write, u64 pc) {
    if (address < g.stacks_low || address >= g.stacks_high) return;
    thread* t = owner_of(address);
    if (t == nullptr || t == self || t->joined) return;
    if (t->lent_high == 0 || address < t->lent_low) t->lent_low = address;
    if (address + size > t->lent_high) t->lent_high = address + size;
    const u64 known = self->clock.get(t->id);
    const dead_frame* found = nullptr;
    for (u32 i = t->dead_count; i > 0; --i) {
        const dead_frame& d = t->dead[i - 1];
        if (d.time <= known) break; // those before are older still
        if (address < d.end && address >= d.low) found = &d;
        else if (address < d.end && found == nullptr) found = &d;
    }
    if (found != nullptr) fail_dead_frame(address, size, write, pc, t->id, *found);
}

} // namespace heddle::check::rt
