// What the C library's formatting and output read and write of the program's memory.
#include "access.hpp"
#include "real.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

using format_into = int(char*, std::size_t, const char*, va_list);

/// As vsnprintf(): says how long the text is, or would have been. Written twice: how much is needed
/// must be told first, since others may have the turn before it is done.
int print(char* to, std::size_t size, const char* format, va_list arguments, u64 pc) {
    static const auto real = real_function<format_into*>("vsnprintf");
    va_list again;
    va_copy(again, arguments);
    const int length = real(nullptr, 0, format, again);
    va_end(again);
    if (length < 0 || size == 0) return length;
    const std::size_t whole = static_cast<std::size_t>(length) + 1;
    access_for(to, whole < size ? whole : size, true, pc);
    return real(to, size, format, arguments);
}

constexpr std::size_t no_limit = ~std::size_t{0} >> 1;

} // namespace

HEDDLE_HOOK int vsnprintf(char* to, std::size_t size, const char* format, va_list arguments) {
    return print(to, size, format, arguments, PC);
}
HEDDLE_HOOK int vsprintf(char* to, const char* format, va_list arguments) {
    return print(to, no_limit, format, arguments, PC);
}
HEDDLE_HOOK int snprintf(char* to, std::size_t size, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = print(to, size, format, arguments, PC);
    va_end(arguments);
    return length;
}
HEDDLE_HOOK int sprintf(char* to, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = print(to, no_limit, format, arguments, PC);
    va_end(arguments);
    return length;
}

HEDDLE_HOOK int puts(const char* text) {
    static const auto real = real_function<int (*)(const char*)>("puts");
    access_for(text, std::strlen(text) + 1, false, PC);
    return real(text);
}
HEDDLE_HOOK int fputs(const char* text, FILE* file) {
    static const auto real = real_function<int (*)(const char*, FILE*)>("fputs");
    access_for(text, std::strlen(text) + 1, false, PC);
    return real(text, file);
}
HEDDLE_HOOK std::size_t fwrite(const void* data, std::size_t size, std::size_t count, FILE* file) {
    using call = std::size_t (*)(const void*, std::size_t, std::size_t, FILE*);
    static const auto real = real_function<call>("fwrite");
    access_for(data, size * count, false, PC);
    return real(data, size, count, file);
}
