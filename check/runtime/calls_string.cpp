// Memory and string functions of the C library that instrumented code calls: it does not see into
// them, so what they read and write is told here.
#include "access.hpp"
#include "real.hpp"

#include <cstdlib>
#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

// Volatile, or the compiler would turn the loop into a call of what it implements.
std::size_t length(const volatile char* s, std::size_t most = ~std::size_t{0}) {
    std::size_t n = 0;
    while (n < most && s[n] != 0) ++n;
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
    access_for(from, n, false, pc);
    access_for(to, n, true, pc);
    copy(to, from, n);
    return to;
}

/// Reads as far as the first difference, or the end of both.
int compare_checked(const char* a, const char* b, std::size_t most, u64 pc) {
    const volatile char *x = a, *y = b;
    const auto same = [&](std::size_t n) { return n < most && x[n] == y[n] && x[n] != 0; };
    std::size_t n = 0;
    while (same(n)) ++n;
    const std::size_t looked_at = n < most ? n + 1 : n;
    access_for(a, looked_at, false, pc);
    access_for(b, looked_at, false, pc);
    for (n = 0; same(n);) ++n; // others may have had the turn
    return n == most ? 0 : static_cast<u8>(x[n]) - static_cast<u8>(y[n]);
}

} // namespace

HEDDLE_HOOK [[noreturn]] void __chk_fail(); // the C library's: says "buffer overflow detected"

namespace {

/// For the fortified functions: what the compiler knows of the size of what is written to.
void must_fit(std::size_t bytes, std::size_t room) {
    if (bytes > room) __chk_fail();
}

void* set_checked(void* to, int value, std::size_t n, u64 pc) {
    access_for(to, n, true, pc);
    fill(to, value, n);
    return to;
}

/// Copies at most `n` characters, and fills up with zeroes as strncpy() does.
char* copy_some(char* to, const char* from, std::size_t n, u64 pc) {
    const std::size_t text = length(from, n);
    access_for(from, text < n ? text + 1 : n, false, pc);
    access_for(to, n, true, pc);
    copy(to, from, text);
    fill(to + text, 0, n - text);
    return to;
}

/// Appends at most `n` characters to what `to` has, in `room`.
char* append(char* to, const char* from, std::size_t n, std::size_t room, u64 pc) {
    const std::size_t before = length(to), text = length(from, n);
    must_fit(before + text + 1, room);
    access_for(to, before + 1, false, pc);
    access_for(from, text < n ? text + 1 : n, false, pc);
    access_for(to + before, text + 1, true, pc);
    copy(to + before, from, text);
    to[before + text] = 0;
    return to;
}

constexpr std::size_t no_limit = ~std::size_t{0};

} // namespace

HEDDLE_HOOK void* memcpy(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* memmove(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* memset(void* to, int value, std::size_t n) {
    return set_checked(to, value, n, PC);
}
HEDDLE_HOOK void* __tsan_memcpy(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __tsan_memmove(void* to, const void* from, std::size_t n) {
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __tsan_memset(void* to, int value, std::size_t n) {
    return set_checked(to, value, n, PC);
}
HEDDLE_HOOK char* strcpy(char* to, const char* from) {
    copy_checked(to, from, length(from) + 1, PC);
    return to;
}
HEDDLE_HOOK char* stpcpy(char* to, const char* from) {
    const std::size_t text = length(from);
    copy_checked(to, from, text + 1, PC);
    return to + text;
}
HEDDLE_HOOK void* mempcpy(void* to, const void* from, std::size_t n) {
    return static_cast<char*>(copy_checked(to, from, n, PC)) + n;
}
HEDDLE_HOOK int memcmp(const void* a, const void* b, std::size_t n) {
    access_for(a, n, false, PC);
    access_for(b, n, false, PC);
    const auto* x = static_cast<const volatile u8*>(a);
    const auto* y = static_cast<const volatile u8*>(b);
    for (std::size_t i = 0; i < n; ++i)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}
HEDDLE_HOOK std::size_t strlen(const char* s) {
    const std::size_t n = length(s);
    access_for(s, n + 1, false, PC);
    return n;
}
HEDDLE_HOOK char* strncpy(char* to, const char* from, std::size_t n) {
    return copy_some(to, from, n, PC);
}
HEDDLE_HOOK char* strcat(char* to, const char* from) {
    return append(to, from, no_limit, no_limit, PC);
}
HEDDLE_HOOK char* strncat(char* to, const char* from, std::size_t n) {
    return append(to, from, n, no_limit, PC);
}
HEDDLE_HOOK int strcmp(const char* a, const char* b) {
    return compare_checked(a, b, ~std::size_t{0}, PC);
}
HEDDLE_HOOK int strncmp(const char* a, const char* b, std::size_t n) {
    return compare_checked(a, b, n, PC);
}
HEDDLE_HOOK char* strdup(const char* s) {
    const std::size_t size = length(s) + 1;
    auto* copied = static_cast<char*>(std::malloc(size));
    return copied == nullptr ? nullptr : static_cast<char*>(copy_checked(copied, s, size, PC));
}

// Functions that look for something: they read as far as they go.
// C++ has two of each by that name, for const and for other text.
HEDDLE_HOOK const char* heddle_strchr(const char*, int) asm("strchr");
HEDDLE_HOOK const char* heddle_strrchr(const char*, int) asm("strrchr");
HEDDLE_HOOK const char* heddle_strstr(const char*, const char*) asm("strstr");
HEDDLE_HOOK const void* heddle_memchr(const void*, int, std::size_t) asm("memchr");

HEDDLE_HOOK const char* heddle_strchr(const char* s, int wanted) {
    const char* end = s;
    while (*end != 0 && *end != static_cast<char>(wanted)) ++end;
    access_for(s, static_cast<std::size_t>(end - s) + 1, false, PC);
    return *end == static_cast<char>(wanted) ? end : nullptr;
}
HEDDLE_HOOK const char* heddle_strrchr(const char* s, int wanted) {
    const char* end = s + length(s);
    access_for(s, static_cast<std::size_t>(end - s) + 1, false, PC);
    while (end != s && *end != static_cast<char>(wanted)) --end;
    return *end == static_cast<char>(wanted) ? end : nullptr;
}
HEDDLE_HOOK const char* heddle_strstr(const char* s, const char* wanted) {
    static const auto real = real_function<const char* (*)(const char*, const char*)>("strstr");
    access_for(s, length(s) + 1, false, PC);
    access_for(wanted, length(wanted) + 1, false, PC);
    return real(s, wanted);
}
HEDDLE_HOOK const void* heddle_memchr(const void* s, int wanted, std::size_t n) {
    const auto* bytes = static_cast<const u8*>(s);
    std::size_t at = 0;
    while (at < n && bytes[at] != static_cast<u8>(wanted)) ++at;
    access_for(s, at < n ? at + 1 : n, false, PC);
    return at < n ? bytes + at : nullptr;
}

// What -D_FORTIFY_SOURCE makes of the functions above; some systems' compilers define it unasked.
HEDDLE_HOOK void* __memcpy_chk(void* to, const void* from, std::size_t n, std::size_t room) {
    must_fit(n, room);
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __memmove_chk(void* to, const void* from, std::size_t n, std::size_t room) {
    must_fit(n, room);
    return copy_checked(to, from, n, PC);
}
HEDDLE_HOOK void* __mempcpy_chk(void* to, const void* from, std::size_t n, std::size_t room) {
    must_fit(n, room);
    return static_cast<char*>(copy_checked(to, from, n, PC)) + n;
}
HEDDLE_HOOK void* __memset_chk(void* to, int value, std::size_t n, std::size_t room) {
    must_fit(n, room);
    return set_checked(to, value, n, PC);
}
HEDDLE_HOOK char* __strcpy_chk(char* to, const char* from, std::size_t room) {
    const std::size_t size = length(from) + 1;
    must_fit(size, room);
    return static_cast<char*>(copy_checked(to, from, size, PC));
}
HEDDLE_HOOK char* __stpcpy_chk(char* to, const char* from, std::size_t room) {
    const std::size_t text = length(from);
    must_fit(text + 1, room);
    copy_checked(to, from, text + 1, PC);
    return to + text;
}
HEDDLE_HOOK char* __strncpy_chk(char* to, const char* from, std::size_t n, std::size_t room) {
    must_fit(n, room);
    return copy_some(to, from, n, PC);
}
HEDDLE_HOOK char* __strcat_chk(char* to, const char* from, std::size_t room) {
    return append(to, from, no_limit, room, PC);
}
HEDDLE_HOOK char* __strncat_chk(char* to, const char* from, std::size_t n, std::size_t room) {
    return append(to, from, n, room, PC);
}
