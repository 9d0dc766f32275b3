// malloc and its family, operator new and delete: the program's heap is ours.
#include "heap.hpp"
#include "record.hpp"

#include <cstring>
#include <new>

using namespace heddle::check::rt;
using heddle::check::op;
using heddle::check::u64;

#define PC address_of(__builtin_return_address(0))

namespace {

void* checked_new(std::size_t size, std::size_t alignment, u64 pc) {
    void* block = heap_allocate(size, alignment, pc);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void* cleared(std::size_t n, std::size_t size, u64 pc) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return heap_allocate(bytes, 16, pc); // fresh pages are zero, reused blocks are cleared
}

void give_back(void* block, u64 pc) {
    if (block != nullptr && has_turn()) record(op::free, address_of(block), pc);
    heap_free(block, pc);
}

} // namespace

HEDDLE_HOOK void* malloc(std::size_t size) {
    return heap_allocate(size, 16, PC);
}
HEDDLE_HOOK void free(void* block) {
    give_back(block, PC);
}
HEDDLE_HOOK void cfree(void* block) {
    give_back(block, PC);
}
HEDDLE_HOOK void* calloc(std::size_t n, std::size_t size) {
    return cleared(n, size, PC);
}
HEDDLE_HOOK void* realloc(void* block, std::size_t size) {
    if (block != nullptr && size == 0) {
        give_back(block, PC);
        return nullptr;
    }
    void* fresh = heap_allocate(size, 16, PC);
    if (fresh == nullptr || block == nullptr) return fresh;
    const std::size_t old = heap_size(block);
    std::memcpy(fresh, block, old < size ? old : size);
    give_back(block, PC);
    return fresh;
}
HEDDLE_HOOK void* reallocarray(void* block, std::size_t n, std::size_t size) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, bytes);
}
HEDDLE_HOOK void* memalign(std::size_t alignment, std::size_t size) {
    return heap_allocate(size, alignment < 16 ? 16 : alignment, PC);
}
HEDDLE_HOOK void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return heap_allocate(size, alignment < 16 ? 16 : alignment, PC);
}
HEDDLE_HOOK int posix_memalign(void** into, std::size_t alignment, std::size_t size) {
    if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
    void* block = heap_allocate(size, alignment < 16 ? 16 : alignment, PC);
    if (block == nullptr) return ENOMEM;
    *into = block;
    return 0;
}
HEDDLE_HOOK void* valloc(std::size_t size) {
    return heap_allocate(size, 4096, PC);
}
HEDDLE_HOOK void* pvalloc(std::size_t size) {
    return heap_allocate((size + 4095) & ~std::size_t{4095}, 4096, PC);
}
HEDDLE_HOOK std::size_t malloc_usable_size(void* block) {
    return block == nullptr ? 0 : heap_size(block);
}

#define VISIBLE __attribute__((visibility("default")))

VISIBLE void* operator new(std::size_t size) {
    return checked_new(size, 16, PC);
}
VISIBLE void* operator new[](std::size_t size) {
    return checked_new(size, 16, PC);
}
VISIBLE void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return heap_allocate(size, 16, PC);
}
VISIBLE void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return heap_allocate(size, 16, PC);
}
VISIBLE void* operator new(std::size_t size, std::align_val_t a) {
    return checked_new(
        size, static_cast<std::size_t>(a) < 16 ? 16 : static_cast<std::size_t>(a), PC);
}
VISIBLE void* operator new[](std::size_t size, std::align_val_t a) {
    return checked_new(
        size, static_cast<std::size_t>(a) < 16 ? 16 : static_cast<std::size_t>(a), PC);
}
VISIBLE void operator delete(void* p) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete[](void* p) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete(void* p, std::size_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete[](void* p, std::size_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete(void* p, std::align_val_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete[](void* p, std::align_val_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete(void* p, const std::nothrow_t&) noexcept {
    give_back(p, PC);
}
VISIBLE void operator delete[](void* p, const std::nothrow_t&) noexcept {
    give_back(p, PC);
}
