#include "heap.hpp"

#include "failure.hpp"
#include "shadow.hpp"
#include "sync.hpp"

#include <cstring>

namespace heddle::check::rt {

namespace {

// A block lives in a slot of its size class; each class has an address range of its own, so that
// the block of any address is found by a division.
struct header {
    u64 user; // what malloc returned
    u64 size; // what was asked for
    header* next;
    u16 thread, freed_by;
    enum state_t : u32 { unused, live, freed } state;
    u64 freed_step;
    u64 site[4];
    u64 freed_at[4];
    u64 free_key;
};
static_assert(sizeof(header) % 16 == 0);

constexpr u32 class_count = 108; // four per doubling, from 64 bytes to 8 GiB
constexpr u64 class_range = u64{1} << 33;
constexpr u64 quarantine_limit = u64{64} << 20;
constexpr std::size_t poisoned = 4096; // bytes of a freed block that are overwritten

struct {
    char* base;
    u32 lock;
    char* next[class_count];
    header* free[class_count];
    header* oldest;
    header* newest;
    u64 quarantined;
} heap;

/// Threads that have ended call free() without the turn: hence a lock, held for some instructions.
struct heap_guard {
    heap_guard() {
        while (__atomic_exchange_n(&heap.lock, 1, __ATOMIC_ACQUIRE) != 0) // pairs with the release
            kernel(SYS_sched_yield);
    }
    ~heap_guard() { __atomic_store_n(&heap.lock, 0, __ATOMIC_RELEASE); } // pairs with the acquire
};

u64 class_size(u32 c) {
    return (u64{1} << (6 + c / 4)) / 4 * (4 + c % 4) + sizeof(header);
}

u32 class_of(u64 size) {
    if (size <= 64) return 0;
    const u32 top =
        63 - static_cast<u32>(__builtin_clzll(size - 1)); // size - 1 in [2^top, 2^top+1)
    const u32 c = (top - 6) * 4 + static_cast<u32>((size - 1) >> (top - 2) & 3) + 1;
    return c;
}

header* header_of(u64 address) {
    const u64 base = address_of(heap.base);
    if (heap.base == nullptr || address < base || address >= base + class_count * class_range)
        return nullptr;
    const u64 c = (address - base) / class_range;
    char* range = heap.base + c * class_range;
    const u64 slot = (address - address_of(range)) / class_size(static_cast<u32>(c));
    char* at = range + slot * class_size(static_cast<u32>(c));
    if (heap.next[c] == nullptr || at >= heap.next[c]) return nullptr;
    return reinterpret_cast<header*>(at);
}

header* take_slot(u32 c) {
    if (heap.base == nullptr) {
        heap.base = static_cast<char*>(map_pages(class_count * class_range));
        heap_begin = address_of(heap.base);
        heap_end = heap_begin + class_count * class_range;
    }
    if (header* h = heap.free[c]) {
        heap.free[c] = h->next;
        return h;
    }
    char* range = heap.base + c * class_range;
    if (heap.next[c] == nullptr) heap.next[c] = range;
    if (heap.next[c] + class_size(c) > range + class_range) return nullptr;
    char* at = heap.next[c];
    heap.next[c] += class_size(c);
    return reinterpret_cast<header*>(at);
}

void release_oldest() {
    while (heap.quarantined > quarantine_limit && heap.oldest != nullptr) {
        header* h = heap.oldest;
        heap.oldest = h->next;
        if (heap.oldest == nullptr) heap.newest = nullptr;
        heap.quarantined -= h->size;
        const u64 base = address_of(heap.base);
        const auto c = static_cast<u32>((address_of(h) - base) / class_range);
        h->state = header::unused;
        h->next = heap.free[c];
        heap.free[c] = h;
    }
}

void save_place(u64 (&into)[4], u64 pc) {
    for (u64& p : into) p = 0;
    into[0] = pc;
    if (!has_turn()) return;
    const frames f = here(pc);
    for (u32 i = 0; i < 4 && i < f.count; ++i) into[i] = f.pc[i];
}

frames load_place(const u64 (&from)[4]) {
    frames f{};
    while (f.count < 4 && from[f.count] != 0) {
        f.pc[f.count] = from[f.count];
        ++f.count;
    }
    return f;
}

} // namespace

u64 heap_begin, heap_end;

void* heap_allocate(std::size_t size, std::size_t alignment, u64 pc) {
    const u64 room = size + (alignment > 16 ? alignment : 0);
    if (room > u64{1} << 32) {
        errno = ENOMEM;
        return nullptr;
    }
    header* h = nullptr;
    bool reused = false;
    {
        heap_guard guard;
        h = take_slot(class_of(room < 1 ? 1 : room));
        if (h == nullptr) {
            errno = ENOMEM;
            return nullptr;
        }
        reused = h->user != 0;
        const u64 first = address_of(h + 1);
        h->user = (first + alignment - 1) & ~(u64{alignment} - 1);
        h->size = size;
        h->next = nullptr;
        h->state = header::live;
        h->thread = self == nullptr ? 0 : static_cast<u16>(self->id);
    }
    save_place(h->site, pc);
    if (reused && has_turn()) {
        shadow_clear(h->user, size);
        for (u64 at = h->user; at < h->user + size && at < h->user + poisoned; at += 4)
            if (find_sync(at) != nullptr) forget_sync(at);
    }
    if (reused) std::memset(reinterpret_cast<void*>(h->user), 0, size < poisoned ? size : poisoned);
    return reinterpret_cast<void*>(h->user);
}

void heap_free(void* block, u64 pc) {
    if (block == nullptr) return;
    header* h = header_of(address_of(block));
    if (h == nullptr || h->user != address_of(block)) {
        if (has_turn() && g.controlled)
            fail_text(failure::crash, "free() of memory that malloc() never returned", 0, pc);
        return;
    }
    if (h->state == header::freed && has_turn()) fail_double_free(address_of(block), pc);
    if (h->state != header::live) return;
    save_place(h->freed_at, pc);
    h->free_key = has_turn() ? place_key(pc) : 0;
    h->freed_step = g.step;
    h->freed_by = self == nullptr ? 0 : static_cast<u16>(self->id);
    if (has_turn()) {
        shadow_free(h->user, h->size, pc);
        std::memset(block, 0xdd, h->size < poisoned ? h->size : poisoned);
    }
    heap_guard guard;
    h->state = header::freed;
    h->next = nullptr;
    if (heap.newest != nullptr) heap.newest->next = h;
    else heap.oldest = h;
    heap.newest = h;
    heap.quarantined += h->size;
    release_oldest();
}

std::size_t heap_size(const void* block) {
    const header* h = header_of(address_of(block));
    return h == nullptr ? 0 : h->size;
}

bool describe_block(u64 address, object& o) {
    const header* h = header_of(address);
    if (h == nullptr || h->user == 0) return false;
    o.kind = object::heap;
    o.thread = h->thread;
    o.base = h->user;
    o.size = h->size;
    o.site = load_place(h->site);
    return true;
}

u64 free_key(u64 address) {
    const header* h = header_of(address);
    return h == nullptr ? 0 : h->free_key;
}

void describe_free(u64 address, access& a) {
    const header* h = header_of(address);
    if (h == nullptr) return;
    a.thread = h->freed_by;
    a.address = h->user;
    a.step = h->freed_step;
    a.write = 1;
    a.where = load_place(h->freed_at);
}

} // namespace heddle::check::rt
