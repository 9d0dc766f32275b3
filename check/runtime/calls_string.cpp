// Memory and string functions of the C library that instrumented code calls: it does not see into
// them, so what they read and write is told here. They are no scheduling points unless the program
// itself calls them: the C++ library may hold a lock of its own.
#include "record.hpp"
#include "shadow.hpp"

#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace heddle::check::rt {
// abi_memory.cpp
void access_memory_range(const void* p, std::size_t size, bool write, u64 pc, u64 inside = 0);
}

extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start; // by the linker
extern "C" __attribute__((visibility("hidden"))) const char _end;

namespace {

/// The runtime's own copies come here too; they are none of the program's.
bool in_this_library(u64 pc) {
    return pc >= address_of(&__ehdr_start) && pc < address_of(&_end);
}

void touch(const void* p, std::size_t size, bool write, u64 pc) {
    if (size == 0 || !has_turn() || in_this_library(pc)) return;
    if (in_system_module(pc)) check_access(address_of(p), size, write, false, pc);
    else access_memory_range(p, size, write, pc);
}

// Volatile, or the compiler would turn the loop into a call of what it implements.
std::size_t length(const volatile char* s) {
    std::size_t n = 0;
    while (s[n] != 0) ++n;
    return n;
}

inline void copy_forward(void* to, const void* from, std::size_t n) {
#if defined(__x86_64__)
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
    auto* d = static_cast<char*>(to);
    const auto* s = static_cast<const char*>(from);
    for (std::size_t i = 0; i < n; ++i) {
        d[i] = s[i];
        asm volatile("" ::: "memory");
    }
#endif
}

void copy(void* to, const void* from, std::size_t n) {
    auto* d = static_cast<volatile char*>(to);
    const auto* s = static_cast<const volatile char*>(from);
    if (address_of(to) - address_of(from) >= n) return copy_forward(to, from, n);
    while (n-- > 0) d[n] = s[n];
}

inline void fill(void* to, int value, std::size_t n) {
#if defined(__x86_64__)
    asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
#else
    auto* d = static_cast<volatile char*>(to);
    for (std::size_t i = 0; i < n; ++i) d[i] = static_cast<char>(value);
#endif
}

void* copy_checked(void* to, const void* from, std::size_t n, u64 pc) {
    touch(from, n, false, pc);
    touch(to, n, true, pc);
    copy(to, from, n);
    return to;
}

} // namespace

HEDDLE_HOOK void* memcpy(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* memmove(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* memset(void* to, int value, std::size_t n) {
    touch(to, n, true, PC);
    fill(to, value, n);
    return to;
}
HEDDLE_HOOK void* __tsan_memcpy(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __tsan_memmove(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __tsan_memset(void* to, int value, std::size_t n) {
    touch(to, n, true, PC);
    fill(to, value, n);
    return to;
}
HEDDLE_HOOK char* strcpy(char* to, const char* from) {
    copy_checked(to, from, length(from) + 1, PC);
    return to;
}
HEDDLE_HOOK int memcmp(const void* a, const void* b, std::size_t n) {
    touch(a, n, false, PC);
    touch(b, n, false, PC);
    const auto* x = static_cast<const volatile u8*>(a);
    const auto* y = static_cast<const volatile u8*>(b);
    for (std::size_t i = 0; i < n; ++i)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}
HEDDLE_HOOK std::size_t strlen(const char* s) {
    const std::size_t n = length(s);
    touch(s, n + 1, false, PC);
    return n;
}
