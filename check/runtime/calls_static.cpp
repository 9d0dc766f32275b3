// Functions of the C library that keep something between calls in memory of their own, which two
// threads then share: the time as text or in parts, where strtok() has come to.
#include "access.hpp"
#include "real.hpp"
#include "record.hpp"

#include <cstring>
#include <ctime>

using namespace heddle::check;
using namespace heddle::check::rt;

#define PC address_of(__builtin_return_address(0))

namespace {

char* remembered_by_strtok;

/// As access_for(), for the function of the C library at `inside`.
void access_by(u64 inside, const void* p, std::size_t size, bool write, u64 pc) {
    if (has_turn() && !in_system_module(pc)) access_range(p, size, write, pc, inside);
}

/// Calls it, and tells of what it wrote, since its address is known only then.
template <class Result, class Given>
Result* run(Result* (*function)(const Given*), const Given* given, u64 pc) {
    access_for(given, sizeof *given, false, pc);
    Result* result = function(given);
    if (result == nullptr) return result;
    std::size_t size = sizeof *result;
    if constexpr (sizeof(Result) == 1) size = std::strlen(result) + 1;
    access_by(address_of(reinterpret_cast<void*>(function)), result, size, true, pc);
    return result;
}

using token_function = char*(char*, const char*, char**);

char* next_token(char* text, const char* delimiters, char** rest, u64 inside, u64 pc) {
    static const auto real = real_function<token_function*>("strtok_r");
    if (text == nullptr) access_by(inside, rest, sizeof *rest, false, pc);
    if (char* from = text == nullptr ? *rest : text)
        access_by(inside, from, std::strlen(from) + 1, false, pc);
    access_by(inside, rest, sizeof *rest, true, pc);
    return real(text, delimiters, rest);
}

} // namespace

HEDDLE_HOOK tm* localtime(const time_t* when) {
    static const auto real = real_function<tm* (*)(const time_t*)>("localtime");
    return run(real, when, PC);
}
HEDDLE_HOOK tm* gmtime(const time_t* when) {
    static const auto real = real_function<tm* (*)(const time_t*)>("gmtime");
    return run(real, when, PC);
}
HEDDLE_HOOK char* ctime(const time_t* when) {
    static const auto real = real_function<char* (*)(const time_t*)>("ctime");
    return run(real, when, PC);
}
HEDDLE_HOOK char* asctime(const tm* when) {
    static const auto real = real_function<char* (*)(const tm*)>("asctime");
    return run(real, when, PC);
}
HEDDLE_HOOK char* strtok_r(char* text, const char* delimiters, char** rest) {
    static const u64 inside = address_of(real_function<void*>("strtok_r"));
    return next_token(text, delimiters, rest, inside, PC);
}
HEDDLE_HOOK char* strtok(char* text, const char* delimiters) {
    static const u64 inside = address_of(real_function<void*>("strtok"));
    return next_token(text, delimiters, &remembered_by_strtok, inside, PC);
}
