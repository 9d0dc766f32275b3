#include "heap.hpp"

#include "failure.hpp"
#include "record.hpp"
#include "shadow.hpp"
#include "sync.hpp"

#include <sys/mman.h>

#include <cstring>
#include <iterator>

namespace heddle::check::rt {

namespace {

// A block lives in a span: some pages cut into blocks of one size class. What is known of a block
// stands apart from it, so that the program's data lie as close together as without us.
struct header {
    enum state_t : u8 { unused, live, freed };
    u64 size : 48; // what was asked for
    u64 state : 2;
    u64 alignment : 6; // its logarithm; the block begins at the first multiple
    u32 span, next;    // next: of the free list or of the quarantine
    u32 site, freed_at;
    u32 key; // place_key() of where it was made or, later, freed
    u16 thread, freed_by;
};
static_assert(sizeof(header) == 32);

struct span {
    u64 base, block; // size of a block
    u32 first;       // header of the first block
    u32 size_class;
};

/// Where a block was allocated or freed; kept while recording.
struct place {
    u64 pc[10]; // deep enough to reach from operator new out of the standard containers
    u64 step;
};

constexpr u64 page = 4096;
constexpr u64 unit = 512; // spans begin and end at multiples
constexpr u64 arena_size = u64{1} << 37;
constexpr u64 max_block = u64{1} << 35;
constexpr u32 class_count = 136; // 16 bytes apart up to 128, then four per doubling
constexpr u64 max_headers = u64{1} << 28;
constexpr u64 max_places = u64{1} << 22;
constexpr u64 large = 1u << 16;     // from here on a freed block's pages go back at once
constexpr u64 dense = u64{1} << 20; // from here on a block is taken to be used from end to end ...
constexpr u64 most_dense = u64{256} << 20; // ... up to here, where a mistake would cost too much
constexpr u64 quarantine_limit = u64{16} << 20;
constexpr std::size_t poisoned = 4096; // bytes of a freed block that are overwritten
constexpr int poison = 0x5d; // as a pointer it crashes, as a length it is too long and not negative

// Address space; pages are used from the start. Index 0 means none everywhere.
struct {
    char* base;
    u32* span_of_unit;
    span* spans;
    header* headers;
    place* places;
    u64 next_unit;
    u32 span_count, header_count, place_count;
    u32 lock;
    u32 oldest, newest;
    u64 quarantined;
    u32 free[class_count];
    u8 small_spans[class_count];
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
    if (c < 8) return 16 * (u64{c} + 1);
    return (u64{32} << (c - 8) / 4) * (5 + (c - 8) % 4);
}

u32 class_of(u64 size) {
    if (size <= 128) return static_cast<u32>((size + 15) / 16 - 1);
    const u32 top = 63 - static_cast<u32>(__builtin_clzll(size - 1)); // 2^top <= size - 1
    return 8 + (top - 7) * 4 + static_cast<u32>((size - 1) >> (top - 2) & 3);
}

header& header_at(u32 index) {
    return heap.headers[index];
}

u64 begin_of(const header& h) {
    const span& s = heap.spans[h.span];
    const u64 index = static_cast<u64>(&h - heap.headers) - s.first;
    const u64 alignment = u64{1} << h.alignment;
    return (s.base + index * s.block + alignment - 1) & ~(alignment - 1);
}

header* header_of(u64 address) {
    if (!in_heap(address)) return nullptr;
    const u32 index = heap.span_of_unit[(address - g.heap_begin) / unit];
    if (index == 0) return nullptr;
    const span& s = heap.spans[index];
    header* h = &heap.headers[s.first + (address - s.base) / s.block];
    return h->span == index ? h : nullptr;
}

void begin_heap() {
    heap.base = static_cast<char*>(map_pages(arena_size));
    heap.span_of_unit = static_cast<u32*>(map_pages(arena_size / unit * sizeof(u32)));
    heap.spans = static_cast<span*>(map_pages(arena_size / unit * sizeof(span)));
    heap.headers = static_cast<header*>(map_pages(max_headers * sizeof(header)));
    heap.places = static_cast<place*>(map_pages(max_places * sizeof(place)));
    heap.header_count = heap.place_count = heap.span_count = 1;
    g.heap_begin = address_of(heap.base);
    g.heap_size = arena_size;
}

/// Cuts a new span into blocks and puts them on the free list; false when the heap is full.
bool new_span(u32 c) {
    if (heap.base == nullptr) begin_heap();
    const u64 block = class_size(c);
    // Small programs touch few pages, which is what a fork costs; for others, few spans.
    const bool small = block <= 1024 && heap.small_spans[c] < 4;
    if (small) ++heap.small_spans[c];
    const u64 wanted = small ? unit : block <= 1024 ? page : block <= 8 * page ? 8 * block : block;
    const u64 step = (block <= 8 * page ? unit : page) / unit;
    const u64 first = (heap.next_unit + step - 1) / step * step;
    const u64 least = wanted < block ? block : wanted;
    const u64 units = (least + unit * step - 1) / (unit * step) * step;
    const u64 count = block <= 8 * page ? units * unit / block : 1;
    if (first + units > arena_size / unit || heap.header_count + count > max_headers) return false;
    const u32 index = heap.span_count++;
    heap.spans[index] = {g.heap_begin + first * unit, block, heap.header_count, c};
    for (u64 i = 0; i < units; ++i) heap.span_of_unit[first + i] = index;
    heap.next_unit = first + units;
    for (u64 i = count; i > 0; --i) {
        const u32 at = heap.header_count + static_cast<u32>(i - 1);
        header_at(at).span = index;
        header_at(at).next = heap.free[c];
        heap.free[c] = at;
    }
    heap.header_count += static_cast<u32>(count);
    return true;
}

header* take_block(u64 size) {
    const u32 c = class_of(size);
    if (heap.free[c] == 0 && !new_span(c)) return nullptr;
    header& h = header_at(heap.free[c]);
    heap.free[c] = h.next;
    return &h;
}

/// A large block in quarantine costs address space only.
u64 quarantine_share(const header& h) {
    return h.size < large ? h.size + sizeof(header) : page;
}

void release_oldest() {
    while (heap.quarantined > quarantine_limit && heap.oldest != 0) {
        header& h = header_at(heap.oldest);
        const u32 c = heap.spans[h.span].size_class;
        const u32 index = heap.oldest;
        heap.oldest = h.next;
        if (heap.oldest == 0) heap.newest = 0;
        heap.quarantined -= quarantine_share(h);
        h.next = heap.free[c];
        heap.free[c] = index;
    }
}

u32 save_place(u64 pc) {
    if (!g.recording || !has_turn() || heap.place_count == max_places) return 0;
    const u32 index = heap.place_count++;
    place& p = heap.places[index];
    p.step = g.step;
    const frames f = here(pc);
    for (u32 i = 0; i < std::size(p.pc) && i < f.count; ++i) p.pc[i] = f.pc[i];
    return index;
}

frames load_place(u32 index) {
    frames f{};
    if (index == 0) return f;
    const place& p = heap.places[index];
    while (f.count < std::size(p.pc) && p.pc[f.count] != 0) {
        f.pc[f.count] = p.pc[f.count];
        ++f.count;
    }
    return f;
}

/// All but the first page of a large block, which has its pages to itself.
void give_pages_back(u64 begin, u64 size) {
    const u64 low = (begin + poisoned + page - 1) & ~(page - 1);
    const u64 high = (begin + size + page - 1) & ~(page - 1);
    if (low < high)
        kernel(SYS_madvise, static_cast<long>(low), static_cast<long>(high - low), MADV_DONTNEED);
}

/// Nothing that was known of the last user of this memory holds for the next one. Zeroed, as fresh
/// pages are.
void make_fresh(u64 begin, u64 size) {
    if (has_turn()) {
        shadow_clear(begin, size);
        for (u64 at = begin; at < begin + size && at < begin + poisoned; at += 4)
            if (find_sync(at) != nullptr) forget_sync(at);
    }
    // The pages of a large block were given back when it was freed, but for the first.
    std::memset(reinterpret_cast<void*>(begin), 0, size < large ? size : 2 * poisoned);
}

} // namespace

void* heap_allocate(std::size_t size, std::size_t alignment, u64 pc) {
    const u64 room = size + (alignment > 16 ? alignment : 0);
    header* h = nullptr;
    bool reused = false;
    if (room <= max_block) {
        heap_guard guard;
        h = take_block(room < 1 ? 1 : room);
        if (h != nullptr) {
            reused = h->state != header::unused;
            h->size = size & (2 * max_block - 1);
            h->state = header::live;
            h->alignment = static_cast<u64>(__builtin_ctzll(alignment)) & 63;
            h->thread = self == nullptr ? 0 : static_cast<u16>(self->id);
        }
    }
    if (h == nullptr) {
        errno = ENOMEM;
        return nullptr;
    }
    h->site = save_place(pc);
    h->key = has_turn() ? static_cast<u32>(place_key(pc)) : 0;
    const u64 begin = begin_of(*h);
    if (reused) make_fresh(begin, size);
    else if (size >= dense && size <= most_dense && has_turn()) shadow_expect_all(begin, size);
    return reinterpret_cast<void*>(begin);
}

void heap_free(void* block, u64 pc) {
    if (block == nullptr) return;
    header* h = header_of(address_of(block));
    if (h == nullptr || h->state == header::unused || begin_of(*h) != address_of(block)) {
        if (has_turn() && g.controlled)
            fail_text(failure::crash, "free() of memory that malloc() never returned", 0, pc);
        return;
    }
    if (h->state == header::freed && has_turn()) fail_double_free(address_of(block), pc);
    if (h->state != header::live) return;
    h->freed_at = save_place(pc);
    h->key = has_turn() ? static_cast<u32>(place_key(pc)) : 0;
    h->freed_by = self == nullptr ? 0 : static_cast<u16>(self->id);
    if (has_turn()) {
        shadow_free(address_of(block), h->size);
        std::memset(block, poison, h->size < poisoned ? h->size : poisoned);
    }
    if (h->size >= large) give_pages_back(address_of(block), h->size);
    heap_guard guard;
    h->state = header::freed;
    h->next = 0;
    const u32 index = static_cast<u32>(h - heap.headers);
    if (heap.newest != 0) header_at(heap.newest).next = index;
    else heap.oldest = index;
    heap.newest = index;
    heap.quarantined += quarantine_share(*h);
    release_oldest();
}

std::size_t heap_size(const void* block) {
    const header* h = header_of(address_of(block));
    return h == nullptr ? 0 : h->size;
}

bool describe_block(u64 address, object& o) {
    const header* h = header_of(address);
    if (h == nullptr || h->state == header::unused) return false;
    o.kind = object::heap;
    o.thread = h->thread;
    o.base = begin_of(*h);
    o.size = h->size;
    o.site = load_place(h->site);
    return true;
}

u64 block_key(u64 address) {
    const header* h = header_of(address);
    return h == nullptr ? 0 : h->key;
}

void describe_free(u64 address, access& a) {
    const header* h = header_of(address);
    if (h == nullptr) return;
    a.thread = h->freed_by;
    a.address = begin_of(*h);
    a.step = heap.places[h->freed_at].step;
    a.write = 1;
    a.where = load_place(h->freed_at);
}

} // namespace heddle::check::rt
