#include "shadow.hpp"

#include "failure.hpp"
#include "heap.hpp"
#include "record.hpp"

#include <sys/mman.h>

namespace heddle::check::rt {

namespace {

// One access. `clock` is its thread's own time; it happened before a thread whose clock knows
// that time. Four of them a cell: exact as long as no more than four unordered accesses of
// different threads or bytes meet in one word, after that the oldest is forgotten (a race may be
// missed on this schedule, none is invented).
struct slot {
    u64 pc : 48;
    u64 step_low : 16;
    u32 clock;
    u16 thread;
    u8 mask; // bytes of the word; 0: an empty slot
    u8 kind;
};
enum : u8 { kind_write = 1, kind_atomic = 2, kind_freed = 4 };

struct cell {
    slot slots[4];
};

constexpr u32 region_bits = 22; // 4 MiB of the program's memory a table entry
constexpr u32 address_bits = 47;
constexpr u64 cells_per_region = u64{1} << (region_bits - 3);
constexpr u64 pool_regions = 512; // mapped at once, so that a new region costs no system call
cell** table;
cell* pool;
u64 pool_left;

cell* new_region() {
    if (pool_left == 0) {
        pool = static_cast<cell*>(map_pages(pool_regions * cells_per_region * sizeof(cell)));
        pool_left = pool_regions;
    }
    cell* cells = pool;
    pool += cells_per_region;
    --pool_left;
    return cells;
}

cell* cell_of(u64 address, bool make = true) {
    if (table == nullptr)
        table = static_cast<cell**>(
            map_pages((u64{1} << (address_bits - region_bits)) * sizeof(cell*)));
    const u64 region = (address & ((u64{1} << address_bits) - 1)) >> region_bits;
    cell* cells = table[region];
    if (cells == nullptr) {
        if (!make) return nullptr;
        cells = table[region] = new_region();
    }
    return cells + ((address >> 3) & (cells_per_region - 1));
}

u32 own_time(const thread* t) {
    return t->clock.get(t->id);
}

bool ordered(const slot& s, const thread* t) {
    return s.clock <= t->clock.get(s.thread);
}

/// Whether every access that conflicts with `old` and is unordered with it also conflicts with
/// `fresh`, which comes after it: then `old` need not be kept.
bool covers(const slot& fresh, const slot& old) {
    const bool strong = (fresh.kind & kind_write) != 0 || (old.kind & kind_write) == 0;
    const bool plain = (fresh.kind & kind_atomic) == 0 || (old.kind & kind_atomic) != 0;
    return strong && plain && (old.mask & ~fresh.mask) == 0;
}

void meet(const slot& s, const slot& fresh, u64 address, u32 size) {
    thread* t = self;
    if ((s.kind & kind_freed) != 0)
        fail_use_after_free(address, size, fresh.kind & kind_write, fresh.pc);
    if (((s.kind | fresh.kind) & kind_write) == 0) return;
    const bool unordered = !ordered(s, t);
    learn(s.pc, unordered ? 2 : 1);
    learn(fresh.pc, unordered ? 2 : 1);
    if (!unordered || (s.kind & fresh.kind & kind_atomic) != 0) return;
    access first{};
    first.thread = s.thread;
    first.write = (s.kind & kind_write) != 0;
    first.atomic = (s.kind & kind_atomic) != 0;
    first.size = static_cast<u8>(__builtin_popcount(s.mask));
    first.address = (address & ~u64{7}) + static_cast<u32>(__builtin_ctz(s.mask));
    first.where.count = 1;
    first.where.pc[0] = s.pc;
    access second = first;
    second.thread = t->id;
    second.write = (fresh.kind & kind_write) != 0;
    second.atomic = (fresh.kind & kind_atomic) != 0;
    second.size = static_cast<u8>(size);
    second.address = address;
    second.step = g.step;
    second.where = here(fresh.pc);
    report_race(first, second);
}

void check_cell(cell& c, const slot& fresh, u64 address, u32 size) {
    // The same access in the same epoch: whoever came between has been checked against it (the
    // fast path of FastTrack, Flanagan and Freund 2009).
    for (const slot& s : c.slots)
        if (s.clock == fresh.clock && s.thread == fresh.thread && s.mask == fresh.mask &&
            s.kind == fresh.kind)
            return;
    slot* into = nullptr;
    for (slot& s : c.slots) {
        if (s.mask == 0) {
            if (into == nullptr) into = &s;
            continue;
        }
        if (s.thread == fresh.thread && (s.kind & kind_freed) == 0) {
            if (s.clock == fresh.clock && covers(s, fresh) && (fresh.mask & ~s.mask) == 0) return;
            if (covers(fresh, s)) {
                if (into != nullptr && into != &s) into->mask = 0;
                into = &s;
            }
            continue;
        }
        if ((s.mask & fresh.mask) == 0) continue;
        meet(s, fresh, address, size);
        if (ordered(s, self) && covers(fresh, s)) into = &s;
    }
    if (into == nullptr) into = &c.slots[g.step & 3];
    *into = fresh;
}

} // namespace

void check_access(u64 address, u64 size, bool write, bool atomic, u64 pc) {
    thread* t = self;
    if (g.solo && !in_heap(address)) return; // nobody to race with, nothing that could be freed
    slot fresh{};
    fresh.pc = pc & ((u64{1} << 48) - 1);
    fresh.clock = own_time(t);
    fresh.thread = static_cast<u16>(t->id);
    fresh.kind = static_cast<u8>((write ? kind_write : 0) | (atomic ? kind_atomic : 0));
    const u64 end = address + size;
    for (u64 at = address; at < end;) {
        const u32 offset = at & 7;
        const u64 left = end - at;
        const u32 here_size = left < 8 - offset ? static_cast<u32>(left) : 8 - offset;
        fresh.mask = static_cast<u8>(((1u << here_size) - 1) << offset);
        check_cell(*cell_of(at), fresh, at, size > 8 ? here_size : static_cast<u32>(size));
        at += here_size;
    }
}

void shadow_clear(u64 address, u64 size) {
    constexpr u64 region = u64{1} << region_bits;
    for (u64 at = address & ~u64{7}; at < address + size;) {
        const u64 stop = (at | (region - 1)) + 1;
        const u64 end = stop < address + size ? stop : address + size;
        cell* first = cell_of(at, false);
        const u64 count = (end - at + 7) / 8;
        if (first != nullptr) {
            u64 bytes = count * sizeof(cell);
            char* from = reinterpret_cast<char*>(first);
            if (bytes >= 1u << 16) { // give whole pages back instead of touching them
                char* low = reinterpret_cast<char*>((address_of(from) + 4095) & ~u64{4095});
                char* high = reinterpret_cast<char*>((address_of(from) + bytes) & ~u64{4095});
                kernel(SYS_madvise, as_long(low), high - low, MADV_DONTNEED);
                __builtin_memset(from, 0, static_cast<std::size_t>(low - from));
                __builtin_memset(high, 0, static_cast<std::size_t>(from + bytes - high));
            } else {
                __builtin_memset(from, 0, bytes);
            }
        }
        at = stop;
    }
}

void shadow_free(u64 address, u64 size, u64 pc) {
    thread* t = self;
    slot freed{};
    freed.pc = pc & ((u64{1} << 48) - 1);
    freed.clock = own_time(t);
    freed.thread = static_cast<u16>(t->id);
    freed.mask = 0xff;
    freed.kind = kind_freed | kind_write;
    constexpr u64 marked = 1u << 18; // of a longer block, only the first part
    for (u64 at = address; at < address + size && at < address + marked; at += 8) {
        cell& c = *cell_of(at);
        for (const slot& s : c.slots) // whoever still used it unordered is worth a switch
            if (s.mask != 0 && s.thread != t->id && !ordered(s, t)) learn(s.pc, 2);
        c = {};
        c.slots[0] = freed;
    }
}

} // namespace heddle::check::rt
