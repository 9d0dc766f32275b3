#include "shadow.hpp"

#include "dead_frames.hpp"
#include "failure.hpp"
#include "record.hpp"

#include <sys/mman.h>

namespace heddle::check::rt {

namespace {

constexpr u64 pool_regions = 512; // mapped at once, so that a new region costs no system call
cell* pool;
u64 pool_left;

constexpr u32 more_slots = 8;
struct more {
    u64 slot[more_slots];
};
constexpr u64 more_kind = write_bit | atomic_bit | freed_bit;
constexpr u64 more_capacity = u64{1} << 28;
more* blocks; // address space; used from the start
u32 block_count;
u32 free_block; // chained by slot[0]

cell* cell_of(u64 address) {
    cell*& cells = g.shadow[(address >> region_bits) & (region_count - 1)];
    if (cells == nullptr) {
        if (pool_left == 0) {
            pool = static_cast<cell*>(map_pages(pool_regions * cells_per_region * sizeof(cell)));
            pool_left = pool_regions;
        }
        cells = pool;
        pool += cells_per_region;
        --pool_left;
    }
    return cells + ((address >> 3) & (cells_per_region - 1));
}

u32 mask_of(u64 slot) {
    return static_cast<u32>(~slot >> mask_shift) & 0xff;
}
u32 thread_of(u64 slot) {
    return static_cast<u32>(slot >> epoch_shift) & (max_threads - 1);
}
u64 epoch_of(u64 slot) {
    return slot >> epoch_shift;
}
u32 place_of(u64 slot) {
    return static_cast<u32>(slot & place_mask);
}
u64 pc_of(u64 slot) {
    return place_pc(g.places[place_of(slot)]);
}

/// A first look at a cell that is about to change: one page fault instead of two, a read's and then
/// a write's.
void open_cell(cell& c) {
#if defined(__x86_64__)
    asm volatile("orq $0, %0" : "+m"(c.slot[1]));
#else
    const_cast<volatile u64&>(c.slot[1]) = c.slot[1];
#endif
}

bool has_more(const cell& c) {
    return (c.slot[0] & more_kind) == more_kind;
}
u32 block_of(const cell& c) {
    return static_cast<u32>(c.slot[0] >> epoch_shift);
}

void drop_more(cell& c) {
    if (!has_more(c)) return;
    const u32 index = block_of(c);
    blocks[index].slot[0] = free_block;
    free_block = index;
}

/// Moves the cell's accesses into a block, which has room.
more& make_more(cell& c) {
    u32 index = free_block;
    if (index != 0) free_block = static_cast<u32>(blocks[index].slot[0]);
    else if (block_count + 1 < more_capacity) index = ++block_count;
    else panic("out of room for the accesses of the program");
    more& m = blocks[index];
    m = {};
    m.slot[0] = c.slot[0];
    m.slot[1] = c.slot[1];
    c.slot[0] = more_kind | u64{index} << epoch_shift;
    return m;
}

bool ordered(u64 slot, const thread* t) {
    return (slot >> time_shift) <= t->clock.get(thread_of(slot));
}

/// Whether every access that conflicts with `old` and is unordered with it also conflicts with
/// `fresh`, which comes after it: then `old` need not be kept.
bool covers(u64 fresh, u64 old) {
    const bool strong = (fresh & write_bit) != 0 || (old & write_bit) == 0;
    const bool plain = (fresh & atomic_bit) == 0 || (old & atomic_bit) != 0;
    return strong && plain && (mask_of(old) & ~mask_of(fresh)) == 0;
}

access describe(u64 slot, u64 address, u32 bytes) {
    access a{};
    a.thread = thread_of(slot);
    a.write = (slot & write_bit) != 0;
    a.atomic = (slot & atomic_bit) != 0;
    a.size = static_cast<u8>(__builtin_popcount(bytes));
    a.address = (address & ~u64{7}) + static_cast<u32>(__builtin_ctz(bytes));
    a.where.count = 1;
    a.where.pc[0] = pc_of(slot);
    return a;
}

void meet(u64 slot, u64 fresh, u64 address, u32 size) {
    thread* t = self;
    if ((slot & freed_bit) != 0)
        fail_use_after_free(address, size, (fresh & write_bit) != 0, pc_of(fresh));
    if (((slot | fresh) & write_bit) == 0) return;
    const bool unordered = !ordered(slot, t);
    learn(place_of(slot), unordered ? 2 : 1);
    learn(place_of(fresh), unordered ? 2 : 1);
    if (!unordered || (slot & fresh & atomic_bit) != 0) return;
    // Inline code of the standard library keeps caches in objects of libstdc++.so (ctype::narrow).
    if (in_cxx_library(address)) return;
    const access first = describe(slot, address, mask_of(slot));
    access second = describe(fresh, address, mask_of(fresh));
    second.size = static_cast<u8>(size);
    second.address = (address & ~u64{7}) +
                     static_cast<u32>(__builtin_ctz(mask_of(slot) & mask_of(fresh))); // of both
    second.step = g.step;
    second.where = here(pc_of(fresh));
    report_race(first, second, pc_of(fresh));
}

/// Checks `fresh` against the accesses in `slots` and keeps it there; false when there is no room.
bool check_slots(u64* slots, u32 count, u64 fresh, u64 address, u32 size) {
    const u32 own = thread_of(fresh);
    u64* into = nullptr;
    for (u32 i = 0; i < count; ++i) {
        u64& s = slots[i];
        if (s == 0) {
            if (into == nullptr) into = &s;
            continue;
        }
        if (thread_of(s) == own && (s & freed_bit) == 0) {
            if (epoch_of(s) == epoch_of(fresh)) {
                if (covers(s, fresh)) return true;
                // The next byte of a loop over bytes: one access, as far as others can tell.
                if (((s ^ fresh) & ~byte_mask) == 0) {
                    s &= fresh; // what neither leaves out
                    return true;
                }
            }
            if (covers(fresh, s)) {
                if (into != nullptr && into != &s) *into = 0;
                into = &s;
            }
            continue;
        }
        if ((mask_of(s) & mask_of(fresh)) == 0) continue;
        meet(s, fresh, address, size);
        if (ordered(s, self) && covers(fresh, s)) into = &s;
    }
    if (into != nullptr) *into = fresh;
    return into != nullptr;
}

void check_cell(cell& c, u64 fresh, u64 address, u32 size) {
    open_cell(c);
    if (!has_more(c)) {
        if (check_slots(c.slot, 2, fresh, address, size)) return;
        make_more(c).slot[2] = fresh;
    } else {
        more& m = blocks[block_of(c)];
        if (!check_slots(m.slot, more_slots, fresh, address, size))
            m.slot[g.step % more_slots] = fresh;
    }
    c.slot[1] = fresh;
}

/// Whoever still used a word unordered with its end is worth a switch.
void learn_users(const cell& c) {
    const thread* t = self;
    const u64* slots = has_more(c) ? blocks[block_of(c)].slot : c.slot;
    const u32 count = has_more(c) ? more_slots : 2;
    for (u32 i = 0; i < count; ++i)
        if (slots[i] != 0 && thread_of(slots[i]) != t->id && !ordered(slots[i], t))
            learn(place_of(slots[i]), 2);
}

} // namespace

void shadow_begin() {
    if (g.shadow != nullptr) return;
    g.shadow = static_cast<cell**>(map_pages(region_count * sizeof(cell*)));
    blocks = static_cast<more*>(map_pages(more_capacity * sizeof(more)));
}

void shadow_expect(u64 begin, u64 end) {
    constexpr u64 region = u64{1} << region_bits;
    for (u64 at = begin & ~(region - 1); at < end; at += region) cell_of(at);
}

void shadow_expect_all(u64 begin, u64 size) {
    constexpr u64 region = u64{1} << region_bits, huge = u64{2} << 20;
    for (u64 at = begin; at < begin + size; at = (at | (region - 1)) + 1) {
        const u64 stop = (at | (region - 1)) + 1;
        const u64 bytes = ((stop < begin + size ? stop : begin + size) - at) / 8 * sizeof(cell);
        const u64 from = address_of(cell_of(at));
        const u64 low = (from + huge - 1) & ~(huge - 1), high = (from + bytes) & ~(huge - 1);
        if (low >= high) continue;
        // Refused where there are none: slower, that is all.
        kernel(SYS_madvise, static_cast<long>(low), static_cast<long>(high - low), MADV_HUGEPAGE);
    }
}

__attribute__((noinline)) void
check_access(u64 address, u64 size, bool write, bool atomic, u64 pc) {
    if (g.solo) {
        if (!in_heap(address)) return; // nobody to race with, nothing that could be freed
        const cell* c = cell_if_any(address);
        const cell* last = cell_if_any(address + size - 1);
        const u64 freed = (c == nullptr ? 0 : c->slot[0]) | (last == nullptr ? 0 : last->slot[0]);
        if ((freed & freed_bit) == 0) return;
    } else if (address - self->stack_low >= self->stack_high - self->stack_low) {
        check_frame(address, static_cast<u32>(size), write, pc);
    }
    const u64 kind = (write ? write_bit : 0) | (atomic ? atomic_bit : 0);
    const u64 fresh = location_of(pc) | kind | self->epoch;
    const u64 end = address + size;
    for (u64 at = address; at < end;) {
        const u32 offset = at & 7;
        const u64 left = end - at;
        const u32 here_size = left < 8 - offset ? static_cast<u32>(left) : 8 - offset;
        const u64 left_out = byte_mask & ~(u64{((1u << here_size) - 1) << offset} << mask_shift);
        check_cell(
            *cell_of(at), fresh | left_out, at, size > 8 ? here_size : static_cast<u32>(size));
        at += here_size;
    }
}

void shadow_clear(u64 address, u64 size) {
    constexpr u64 region = u64{1} << region_bits;
    for (u64 at = address & ~u64{7}; at < address + size;) {
        const u64 stop = (at | (region - 1)) + 1;
        const u64 end = stop < address + size ? stop : address + size;
        cell* first = cell_if_any(at);
        const u64 count = (end - at + 7) / 8;
        if (first != nullptr) {
            const u64 bytes = count * sizeof(cell);
            char* from = reinterpret_cast<char*>(first);
            if (bytes >= 1u << 16) { // give whole pages back instead of touching them
                char* low = reinterpret_cast<char*>((address_of(from) + 4095) & ~u64{4095});
                char* high = reinterpret_cast<char*>((address_of(from) + bytes) & ~u64{4095});
                kernel(SYS_madvise, as_long(low), high - low, MADV_DONTNEED);
                __builtin_memset(from, 0, static_cast<std::size_t>(low - from));
                __builtin_memset(high, 0, static_cast<std::size_t>(from + bytes - high));
            } else {
                for (u64 i = 0; i < count; ++i) drop_more(first[i]);
                __builtin_memset(from, 0, bytes);
            }
        }
        at = stop;
    }
}

void shadow_end(u64 address, u64 size) {
    for (u64 at = address & ~u64{7}; at < address + size; at += 8) {
        cell* c = cell_if_any(at);
        if (c == nullptr) continue;
        learn_users(*c);
        drop_more(*c);
        *c = {};
    }
}

void shadow_free(u64 address, u64 size) {
    const u64 freed = freed_bit | write_bit | self->epoch; // the heap knows where
    constexpr u64 marked = 1u << 18;                       // of a longer block, only the first part
    for (u64 at = address; at < address + size && at < address + marked; at += 8) {
        cell& c = *cell_of(at);
        open_cell(c);
        learn_users(c);
        drop_more(c);
        c = {{freed, 0}};
    }
    if (size > marked) shadow_clear(address + marked, size - marked);
}

} // namespace heddle::check::rt
