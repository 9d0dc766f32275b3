// What the C library's formatting and output read and write of the program's memory.

// Some that are defined here are inline functions in the C library's headers: for clang that would
// be a second definition.
#define __NO_INLINE__
#include "access.hpp"
#include "real.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

HEDDLE_HOOK [[noreturn]] void __chk_fail(); // the C library's: says "buffer overflow detected"

namespace {

constexpr std::size_t no_limit = ~std::size_t{0} >> 1;

/// Walks along a format and tells of the texts that it will read. Stops at what it does not know
/// (numbered arguments, wide characters): the rest is not told.
class format_reader {
public:
    format_reader(const char* format, va_list arguments, u64 pc) : at_(format), pc_(pc) {
        va_copy(arguments_, arguments);
    }
    ~format_reader() { va_end(arguments_); }
    format_reader(const format_reader&) = delete;
    format_reader& operator=(const format_reader&) = delete;

    void tell() {
        for (; *at_ != 0; ++at_)
            if (*at_ == '%' && !(*++at_ == '%' || directive())) return;
    }

private:
    /// One after its '%', as far as its last character; false: it is not known.
    bool directive() {
        while (*at_ != 0 && std::strchr("-+ #0'", *at_) != nullptr) ++at_;
        number();
        std::size_t most = no_limit;
        if (*at_ == '.') {
            ++at_;
            most = number();
        }
        int longs = 0; // hh and h are passed as int
        for (; *at_ != 0 && std::strchr("hlqjzt", *at_) != nullptr; ++at_) longs += *at_ != 'h';
        if (*at_ == 'L') {
            ++at_;
            va_arg(arguments_, long double);
            return *at_ != 0;
        }
        return argument(longs > 0, most);
    }

    bool argument(bool is_long, std::size_t most) {
        switch (*at_) {
        case 'd':
        case 'i':
        case 'u':
        case 'o':
        case 'x':
        case 'X':
            if (is_long) va_arg(arguments_, long);
            else va_arg(arguments_, int);
            return true;
        case 'a':
        case 'A':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G': va_arg(arguments_, double); return true;
        case 'c':
            if (!is_long) va_arg(arguments_, int);
            return !is_long;
        case 'p': va_arg(arguments_, void*); return true;
        case 'm': return true;
        case 's':
            if (!is_long) text(va_arg(arguments_, const char*), most);
            return !is_long;
        default: return false;
        }
    }

    void text(const char* s, std::size_t most) const {
        if (s == nullptr) return; // prints (null)
        std::size_t n = 0;
        while (n < most && s[n] != 0) ++n;
        access_for(s, n < most ? n + 1 : n, false, pc_);
    }

    std::size_t number() {
        if (*at_ == '*') {
            ++at_;
            const int given = va_arg(arguments_, int);
            return given < 0 ? no_limit : static_cast<std::size_t>(given);
        }
        std::size_t n = 0;
        for (; *at_ >= '0' && *at_ <= '9'; ++at_) n = n * 10 + static_cast<std::size_t>(*at_ - '0');
        return n;
    }

    const char* at_;
    const u64 pc_;
    va_list arguments_;
};

using format_into = int(char*, std::size_t, const char*, va_list);

/// As vsnprintf(): says how long the text is, or would have been. Written twice: how much is needed
/// must be told first, since others may have the turn before it is done.
int print(char* to, std::size_t size, const char* format, va_list arguments, u64 pc) {
    static const auto real = real_function<format_into*>("vsnprintf");
    format_reader(format, arguments, pc).tell();
    va_list again;
    va_copy(again, arguments);
    const int length = real(nullptr, 0, format, again);
    va_end(again);
    if (length < 0 || size == 0) return length;
    const std::size_t whole = static_cast<std::size_t>(length) + 1;
    access_for(to, whole < size ? whole : size, true, pc);
    return real(to, size, format, arguments);
}

/// For the fortified functions: `room` is the size of what is written to.
int print_in_room(
    char* to, std::size_t size, std::size_t room, const char* format, va_list arguments, u64 pc) {
    if (size > room) __chk_fail();
    return print(to, size, format, arguments, pc);
}
int print_all_in_room(char* to, std::size_t room, const char* format, va_list arguments, u64 pc) {
    const int length = print(to, room < no_limit ? room : no_limit, format, arguments, pc);
    if (length >= 0 && static_cast<std::size_t>(length) >= room) __chk_fail();
    return length;
}

int print_to(FILE* file, const char* format, va_list arguments, u64 pc) {
    static const auto real = real_function<int (*)(FILE*, const char*, va_list)>("vfprintf");
    format_reader(format, arguments, pc).tell();
    return real(file, format, arguments);
}

} // namespace

/// Calls `how`, which takes a va_list as its last but one argument, with the rest of ours.
#define WITH_THE_REST(last, how, ...)                                                              \
    va_list arguments;                                                                             \
    va_start(arguments, last);                                                                     \
    const int length = how(__VA_ARGS__, last, arguments, PC);                                      \
    va_end(arguments);                                                                             \
    return length

HEDDLE_HOOK int vsnprintf(char* to, std::size_t size, const char* format, va_list arguments) {
    return print(to, size, format, arguments, PC);
}
HEDDLE_HOOK int vsprintf(char* to, const char* format, va_list arguments) {
    return print(to, no_limit, format, arguments, PC);
}
HEDDLE_HOOK int snprintf(char* to, std::size_t size, const char* format, ...) {
    WITH_THE_REST(format, print, to, size);
}
HEDDLE_HOOK int sprintf(char* to, const char* format, ...) {
    WITH_THE_REST(format, print, to, no_limit);
}
HEDDLE_HOOK int vfprintf(FILE* file, const char* format, va_list arguments) {
    return print_to(file, format, arguments, PC);
}
HEDDLE_HOOK int vprintf(const char* format, va_list arguments) {
    return print_to(stdout, format, arguments, PC);
}
HEDDLE_HOOK int fprintf(FILE* file, const char* format, ...) {
    WITH_THE_REST(format, print_to, file);
}
HEDDLE_HOOK int printf(const char* format, ...) {
    WITH_THE_REST(format, print_to, stdout);
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

// What they read is known only afterwards.
HEDDLE_HOOK std::size_t fread(void* into, std::size_t size, std::size_t count, FILE* file) {
    using call = std::size_t (*)(void*, std::size_t, std::size_t, FILE*);
    static const auto real = real_function<call>("fread");
    const std::size_t done = real(into, size, count, file);
    access_for(into, size * done, true, PC);
    return done;
}
HEDDLE_HOOK char* fgets(char* into, int size, FILE* file) {
    static const auto real = real_function<char* (*)(char*, int, FILE*)>("fgets");
    char* line = real(into, size, file);
    if (line != nullptr) access_for(line, std::strlen(line) + 1, true, PC);
    return line;
}

// What -D_FORTIFY_SOURCE makes of them.
HEDDLE_HOOK int
__vsnprintf_chk(char* to, std::size_t n, int, std::size_t room, const char* format, va_list a) {
    return print_in_room(to, n, room, format, a, PC);
}
HEDDLE_HOOK int
__vsprintf_chk(char* to, int, std::size_t room, const char* format, va_list arguments) {
    return print_all_in_room(to, room, format, arguments, PC);
}
HEDDLE_HOOK int
__snprintf_chk(char* to, std::size_t n, int, std::size_t room, const char* format, ...) {
    WITH_THE_REST(format, print_in_room, to, n, room);
}
HEDDLE_HOOK int __sprintf_chk(char* to, int, std::size_t room, const char* format, ...) {
    WITH_THE_REST(format, print_all_in_room, to, room);
}
HEDDLE_HOOK int __vfprintf_chk(FILE* file, int, const char* format, va_list arguments) {
    return print_to(file, format, arguments, PC);
}
HEDDLE_HOOK int __vprintf_chk(int, const char* format, va_list arguments) {
    return print_to(stdout, format, arguments, PC);
}
HEDDLE_HOOK int __fprintf_chk(FILE* file, int, const char* format, ...) {
    WITH_THE_REST(format, print_to, file);
}
HEDDLE_HOOK int __printf_chk(int, const char* format, ...) {
    WITH_THE_REST(format, print_to, stdout);
}
HEDDLE_HOOK std::size_t
__fread_chk(void* into, std::size_t room, std::size_t size, std::size_t count, FILE* file) {
    using call = std::size_t (*)(void*, std::size_t, std::size_t, std::size_t, FILE*);
    static const auto real = real_function<call>("__fread_chk");
    const std::size_t done = real(into, room, size, count, file);
    access_for(into, size * done, true, PC);
    return done;
}
HEDDLE_HOOK char* __fgets_chk(char* into, std::size_t room, int size, FILE* file) {
    static const auto real =
        real_function<char* (*)(char*, std::size_t, int, FILE*)>("__fgets_chk");
    char* line = real(into, room, size, file);
    if (line != nullptr) access_for(line, std::strlen(line) + 1, true, PC);
    return line;
}
