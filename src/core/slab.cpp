#include "context.hpp"

#include <heddle/detail/parking.hpp>
#include <heddle/detail/slab.hpp>

#include <array>
#include <bit>
#include <mutex>
#include <new>

// A sanitizer must see every allocation by itself, to tell whose memory is used after its end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEDDLE_PLAIN_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEDDLE_PLAIN_HEAP 1
#endif
#endif
#ifndef HEDDLE_PLAIN_HEAP
#define HEDDLE_PLAIN_HEAP 0
#endif

namespace heddle::detail {

namespace {

constexpr std::uint32_t magazine_cells = 64;

struct cell {
    cell* next; ///< in the same magazine
    // In the depot, and only in a magazine's first cell:
    cell* next_magazine;
    std::uint32_t count; ///< cells of the magazine: who counts them waits for memory 64 times
};

/// Full magazines that no thread holds, one list a size class.
struct depot {
    light_mutex mutex;
    std::array<cell*, cell_sizes> magazines{};
};
constinit depot shared;

/// What a thread keeps of one size class: a magazine in use, and perhaps a full one. Both ways
/// between threads go through the depot in whole magazines, so a thread that only allocates and
/// one that only frees meet at its lock once in 64 cells.
struct alignas(32) stock { // so that its address is a shift away
    cell* first = nullptr;
    std::uint32_t count = 0;
    cell* full = nullptr;
};

struct cache {
    std::array<stock, cell_sizes> stocks{};
    bool returns_at_exit = false;
    bool gone = false; ///< the thread is ending: what it frees goes to the depot in ones
};
constinit thread_local cache local;

void give(std::size_t index, cell* magazine, std::uint32_t count) noexcept {
    std::lock_guard lock(shared.mutex);
    magazine->count = count;
    magazine->next_magazine = shared.magazines[index];
    shared.magazines[index] = magazine;
}

cell* take(std::size_t index) noexcept {
    std::lock_guard lock(shared.mutex);
    cell* magazine = shared.magazines[index];
    if (magazine) shared.magazines[index] = magazine->next_magazine;
    return magazine;
}

cell* carve(std::size_t index) {
    const std::size_t size = smallest_cell << index;
    auto* memory = static_cast<std::byte*>(
        ::operator new(size * magazine_cells, std::align_val_t{smallest_cell}));
    cell* next = nullptr;
    for (std::size_t i = magazine_cells; i-- > 0;) {
        next = ::new (static_cast<void*>(memory + i * size)) cell{next, nullptr, magazine_cells};
    }
    return next;
}

/// Gives a thread's stock back when it ends. A magazine in the depot may then hold fewer cells.
struct returner {
    ~returner() {
        local.gone = true;
        for (std::size_t i = 0; i < cell_sizes; ++i) {
            stock& s = local.stocks[i];
            if (s.first) give(i, s.first, s.count);
            if (s.full) give(i, s.full, magazine_cells);
            s = {};
        }
    }
};

void return_at_exit() {
    if (local.returns_at_exit) return;
    static thread_local returner at_exit;
    (void)at_exit;
    local.returns_at_exit = true;
}

cell* pop(stock& s) noexcept {
    cell* const taken = s.first;
    s.first = taken->next;
    prefetch_to_write(s.first); // the next call writes there
    --s.count;
    return taken;
}

// Out of line and called last, so that the usual way through slab_allocate() saves no registers.
[[gnu::noinline]] void* refill_and_pop(stock& s, std::size_t index) {
    return_at_exit();
    s.first = s.full ? s.full : take(index);
    s.count = s.full ? magazine_cells : 0;
    s.full = nullptr;
    if (!s.first) s.first = carve(index);
    if (s.count == 0) s.count = s.first->count;
    return pop(s);
}

// Out of line for the same reason: the magazine in use is full, or there is none.
[[gnu::noinline]] void give_and_refit(stock& s, std::size_t index, void* memory) noexcept {
    if (local.gone) {
        give(index, ::new (memory) cell{nullptr, nullptr, 1}, 1);
        return;
    }
    if (s.first) {
        if (s.full) give(index, s.full, magazine_cells);
        s.full = s.first;
    }
    return_at_exit(); // a thread may only free, and end, many times over
    s.first = ::new (memory) cell{nullptr, nullptr, 0};
    s.count = 1;
}

} // namespace

void hold_cell_depot(bool hold) noexcept {
    hold ? shared.mutex.lock() : shared.mutex.unlock();
}

void* take_cell(std::size_t index, [[maybe_unused]] std::size_t size) {
    if (HEDDLE_PLAIN_HEAP) return ::operator new(size, std::align_val_t{smallest_cell});
    stock& s = local.stocks[index];
    return s.first ? pop(s) : refill_and_pop(s, index);
}

void give_cell(void* memory, std::size_t index) noexcept {
    if (HEDDLE_PLAIN_HEAP) {
        ::operator delete(memory, std::align_val_t{smallest_cell});
        return;
    }
    stock& s = local.stocks[index];
    if (!s.first || s.count == magazine_cells) [[unlikely]] {
        give_and_refit(s, index, memory);
        return;
    }
    cell* const given = ::new (memory) cell;
    given->next = s.first;
    s.first = given;
    ++s.count;
}

} // namespace heddle::detail
