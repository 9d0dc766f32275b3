#include "base.hpp"

#include <sys/mman.h>

#include <cstring>

namespace heddle::check::rt {

void panic(const char* what) {
    const char* head = "heddle runtime: ";
    kernel(SYS_write, 2, as_long(head), static_cast<long>(std::strlen(head)));
    kernel(SYS_write, 2, as_long(what), static_cast<long>(std::strlen(what)));
    kernel(SYS_write, 2, as_long("\n"), 1);
    kernel(SYS_exit_group, 70);
    __builtin_unreachable();
}

void* map_pages(std::size_t bytes) {
    const long p = kernel(SYS_mmap,
                          0,
                          static_cast<long>(bytes),
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                          -1,
                          0);
    if (p < 0 && p > -4096) panic("out of address space; is RLIMIT_AS set?");
    return reinterpret_cast<void*>(p);
}

void* arena_alloc(std::size_t bytes) {
    static char* next;
    static char* end;
    bytes = (bytes + 15) & ~std::size_t{15};
    if (next == nullptr || bytes > static_cast<std::size_t>(end - next)) {
        const std::size_t chunk = bytes > (16u << 20) ? bytes : (64u << 20);
        next = static_cast<char*>(map_pages(chunk));
        end = next + chunk;
    }
    char* result = next;
    next += bytes;
    return result;
}

} // namespace heddle::check::rt
