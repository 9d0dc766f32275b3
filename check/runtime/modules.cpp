// Which code belongs to whom.
#include "record.hpp"

#include <elf.h>
#include <link.h>
#include <unwind.h>

#include <cstring>
#include <initializer_list>

namespace heddle::check::rt {

namespace {

struct span {
    u64 begin, end;
    bool is_cxx; // the C++ library
};
span system_code[max_modules];
u32 system_count;
bool unload_matters; // some module of the program has functions to call when it is unloaded

bool file_begins(const char* path, std::initializer_list<const char*> names) {
    const char* slash = std::strrchr(path, '/');
    const char* file = slash == nullptr ? path : slash + 1;
    for (const char* n : names)
        if (std::strncmp(file, n, std::strlen(n)) == 0) return true;
    return false;
}

bool is_cxx(const char* path) {
    return file_begins(path, {"libstdc++.so", "libc++.so"});
}

bool is_system(const char* path) {
    return is_cxx(path) || file_begins(path,
                                       {"libc.so",
                                        "libm.so",
                                        "libgcc_s.so",
                                        "ld-linux",
                                        "libtsan.so",
                                        "libclang_rt.tsan",
                                        "libc++abi.so",
                                        "linux-vdso",
                                        "libpthread.so"});
}

bool holds(const char* text, std::size_t size, const char* word) {
    return memmem(text, size, word, std::strlen(word)) != nullptr;
}

void read_dynamic(const ElfW(Dyn) * d, u64 base, module_info& m) {
    const char* strings = nullptr;
    std::size_t size = 0, unload = 0;
    for (; d->d_tag != DT_NULL; ++d) {
        if (d->d_tag == DT_FINI_ARRAYSZ) unload = d->d_un.d_val / sizeof(void*);
        if (d->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(d->d_un.d_ptr);
        if (d->d_tag == DT_STRSZ) size = d->d_un.d_val;
    }
    if (address_of(strings) < base) return; // not relocated: the vdso
    // The first is the compiler's own and calls what exit() has called already.
    if (unload > 1 && !is_system(m.path)) unload_matters = true;
    m.instrumented = strings != nullptr && holds(strings, size, "__tsan_init");
    if (strings == nullptr) return;
    for (const char* call : {"pthread_", "syscall", "sched_yield"})
        if (holds(strings, size, call)) m.synchronises = 1;
}

void read_notes(const char* at, std::size_t size, module_info& m) {
    const char* const end = at + size;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        ElfW(Nhdr) n;
        std::memcpy(&n, at, sizeof n);
        const char* name = at + sizeof n;
        const char* data = name + ((n.n_namesz + 3) & ~3u);
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
            m.build_id_size = n.n_descsz < sizeof m.build_id ? n.n_descsz : sizeof m.build_id;
            std::memcpy(m.build_id, data, m.build_id_size);
        }
        at = data + ((n.n_descsz + 3) & ~3u);
    }
}

int add_module(dl_phdr_info* info, std::size_t, void*) {
    channel& c = *g.shared;
    if (c.modules >= max_modules) return 1;
    module_info& m = c.module[c.modules];
    m = {};
    m.base = info->dlpi_addr;
    m.begin = ~u64{0};
    const char* path = info->dlpi_name;
    if (c.modules == 0) path = "/proc/self/exe"; // the program itself comes first, without a name
    if (path[0] == 0) return 0;
    std::strncpy(m.path, path, sizeof m.path - 1);
    if (c.modules == 0) {
        const long n = kernel(
            SYS_readlinkat, -100, as_long("/proc/self/exe"), as_long(m.path), sizeof m.path - 1);
        if (n > 0) m.path[n] = 0;
    }
    for (u32 i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& p = info->dlpi_phdr[i];
        const u64 at = info->dlpi_addr + p.p_vaddr;
        if (p.p_type == PT_LOAD) {
            if (at < m.begin) m.begin = at;
            if (at + p.p_memsz > m.end) m.end = at + p.p_memsz;
        }
        if (p.p_type == PT_NOTE) read_notes(reinterpret_cast<const char*>(at), p.p_memsz, m);
        if (p.p_type == PT_DYNAMIC)
            read_dynamic(reinterpret_cast<const ElfW(Dyn)*>(at), info->dlpi_addr, m);
    }
    if (is_system(m.path)) {
        system_code[system_count++] = {m.begin, m.end, is_cxx(m.path)};
        m.instrumented = 2; // system: neither instrumented nor a gap worth telling
    }
    ++c.modules;
    return 0;
}

struct unwinding {
    frames* into;
    bool inside_program;
};

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* data) {
    auto& u = *static_cast<unwinding*>(data);
    const u64 pc = _Unwind_GetIP(context);
    if (pc == 0) return _URC_END_OF_STACK;
    if (!u.inside_program && in_system_module(pc)) return _URC_NO_REASON;
    u.inside_program = true;
    u.into->pc[u.into->count++] = pc;
    return u.into->count < max_frames ? _URC_NO_REASON : _URC_END_OF_STACK;
}

} // namespace

void list_modules() {
    g.shared->modules = 0;
    dl_iterate_phdr(add_module, nullptr);
}

bool has_unload_functions() {
    return unload_matters;
}

bool in_system_module(u64 pc) {
    for (u32 i = 0; i < system_count; ++i)
        if (pc >= system_code[i].begin && pc < system_code[i].end) return true;
    return false;
}

bool in_cxx_library(u64 address) {
    for (u32 i = 0; i < system_count; ++i)
        if (address >= system_code[i].begin && address < system_code[i].end)
            return system_code[i].is_cxx;
    return false;
}

frames unwound_here(u64 pc) {
    frames f{};
    unwinding u{&f, false};
    thread* const turn = g.current;
    g.current = nullptr; // what the unwinder itself calls is none of the program's doing
    _Unwind_Backtrace(add_frame, &u);
    g.current = turn;
    if (f.count == 0) f.pc[f.count++] = pc;
    return f;
}

} // namespace heddle::check::rt
