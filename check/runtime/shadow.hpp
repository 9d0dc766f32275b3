#pragma once
// Shadow memory: for every 8 bytes of the program, the last accesses that nothing has ordered yet.
//
// An access is one word:
//
//   bits 0..16   its place: an index into channel::locations
//   bits 17..24  which of the 8 bytes it leaves out
//   bits 25..27  write, atomic, freed
//   bits 28..63  who and when: thread and its own time, as in thread::epoch
//
// Two of them lie in the cell itself. When a third one must be kept, the cell gets a block of eight
// (`more`). Exact as long as no more than eight unordered accesses of different threads or bytes
// meet in one word; after that the oldest is forgotten: a race may be missed on this schedule, none
// is invented. One thread has the turn, so nothing here is atomic.

#include "engine.hpp"
#include "heap.hpp"

namespace heddle::check::rt {

inline constexpr u32 place_bits = 17, mask_shift = 17, kind_shift = 25, epoch_shift = 28;
inline constexpr u32 thread_bits = 10, time_shift = epoch_shift + thread_bits;
inline constexpr u64 byte_mask = u64{0xff} << mask_shift;
inline constexpr u64 write_bit = u64{1} << kind_shift;
inline constexpr u64 atomic_bit = write_bit << 1;
inline constexpr u64 freed_bit = write_bit << 2;
inline constexpr u64 place_mask = (u64{1} << place_bits) - 1;
inline constexpr u64 max_time = (u64{1} << (64 - time_shift)) - 1;
static_assert(max_locations == 1u << place_bits && max_threads == 1u << thread_bits);

/// Own times beyond 26 bits all look like the last one: from there on, races may be missed.
inline u64 shadow_epoch(u32 thread, u32 time) {
    const u64 kept = time < max_time ? time : max_time;
    return u64{thread} << epoch_shift | kept << time_shift;
}

struct cell {
    // [0] with all three kind bits: the index of a block of `more`; [1] is then the last access.
    u64 slot[2];
};

inline constexpr u32 region_bits = 22; // 4 MiB of the program's memory a table entry
inline constexpr u32 address_bits = 47;
inline constexpr u64 cells_per_region = u64{1} << (region_bits - 3);
inline constexpr u64 region_count = u64{1} << (address_bits - region_bits);

/// Null when nothing near `address` was ever accessed.
inline cell* cell_if_any(u64 address) {
    cell* cells = g.shadow[(address >> region_bits) & (region_count - 1)];
    return cells == nullptr ? nullptr : cells + ((address >> 3) & (cells_per_region - 1));
}

/// Whether the access is included in one of the cell's with none of its bytes left out, of the same
/// time, as strong or more.
template <u32 size, bool write>
inline bool known_in(const cell& c, const thread* t, u64 address) {
    constexpr u64 bytes = u64{(1u << size) - 1} << mask_shift;
    constexpr u64 rest = ~(place_mask | byte_mask | (write ? 0 : write_bit));
    const u64 compared = rest | (size == 8 ? bytes : bytes << (address & 7)); // 8: all, or nothing
    const u64 wanted = t->epoch | (write ? write_bit : 0);
    return ((c.slot[0] ^ wanted) & compared) == 0 || ((c.slot[1] ^ wanted) & compared) == 0;
}

/// True when this access needs no check: the thread did the same, or more, since others last could
/// learn of it (the fast path of FastTrack, Flanagan and Freund 2009), or it is alone. `address` is
/// a multiple of `size`, which is 8 at most.
template <u32 size, bool write>
inline bool nothing_new(const thread* t, u64 address) {
    if (g.solo && !in_heap(address)) return true; // nobody to race with, and never freed
    const cell* c = cell_if_any(address);
    if (c == nullptr) return false;
    if (g.solo) return (c->slot[0] & freed_bit) == 0;
    return known_in<size, write>(*c, t, address);
}

/// Checks an access against those before it, remembers it, and reports what it finds.
void check_access(u64 address, u64 size, bool write, bool atomic, u64 pc);

/// The range is new: forgets all accesses (allocation, a fresh stack).
void shadow_clear(u64 address, u64 size);

/// The range is gone: the next access is a use after free.
void shadow_free(u64 address, u64 size);

/// The range is gone, and will be used again: other threads' accesses that are unordered with this
/// moment are learned, and all are forgotten.
void shadow_end(u64 address, u64 size);

/// Makes the table ready; ranges that every run uses are entered once, before the first one.
void shadow_begin();
void shadow_expect(u64 begin, u64 end);

/// All of the range will be used, and it is large: its accesses are kept in huge pages, which take
/// less looking up. Only the thread whose turn it is may call it.
void shadow_expect_all(u64 begin, u64 size);

} // namespace heddle::check::rt
