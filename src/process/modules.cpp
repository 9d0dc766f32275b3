#include "modules.hpp"

#include <heddle/error.hpp>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace heddle::detail {

namespace {

struct module {
    std::uintptr_t base = 0;           ///< what its addresses are shifted by
    std::uintptr_t begin = 0, end = 0; ///< where its code lies
    std::string path;                  ///< empty for the program itself
    std::string build;
};

/// The modules that this process has named, by number; they are never forgotten.
struct table {
    std::mutex mutex;
    std::vector<module> named;      ///< by number
    unsigned long long unloads = 0; ///< when `named` was last known to be true
};
table& modules() {
    static table* const only = new table; // used by threads that may outlive static objects
    return *only;
}

std::string in_hex(const unsigned char* bytes, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += "0123456789abcdef"[bytes[i] >> 4];
        text += "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
}

/// The NT_GNU_BUILD_ID note of a module; if it was linked without one, a hash of its code, which
/// the system maps unchanged.
std::string build_of(const dl_phdr_info& info) {
    std::uint64_t hash = 14695981039346656037u; // FNV-1a
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = info.dlpi_phdr[i];
        const auto* at = reinterpret_cast<const unsigned char*>(info.dlpi_addr + part.p_vaddr);
        if (part.p_type != PT_NOTE) continue;
        const unsigned char* const end = at + part.p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            const unsigned char* const name = at + sizeof note;
            const unsigned char* const text = name + ((note.n_namesz + 3u) & ~3u);
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                std::memcmp(name, "GNU", 4) == 0) {
                return in_hex(text, note.n_descsz);
            }
            at = text + ((note.n_descsz + 3u) & ~3u);
        }
    }
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = info.dlpi_phdr[i];
        if (part.p_type != PT_LOAD || !(part.p_flags & PF_X) || (part.p_flags & PF_W)) continue;
        const auto* at = reinterpret_cast<const unsigned char*>(info.dlpi_addr + part.p_vaddr);
        for (std::size_t k = 0; k < part.p_filesz; ++k) hash = (hash ^ at[k]) * 1099511628211u;
    }
    return "hash-" + std::to_string(hash);
}

/// Calls `f(info)` for each loaded module until it returns true.
template <class F>
bool for_each_module(F f) {
    return dl_iterate_phdr(
               [](dl_phdr_info* info, std::size_t, void* data) -> int {
                   return (*static_cast<F*>(data))(*info) ? 1 : 0;
               },
               &f) != 0;
}

module read_module(const dl_phdr_info& info, const ElfW(Phdr) & code) {
    module found;
    found.base = info.dlpi_addr;
    found.begin = info.dlpi_addr + code.p_vaddr;
    found.end = found.begin + code.p_memsz;
    found.path = info.dlpi_name ? info.dlpi_name : "";
    found.build = build_of(info);
    return found;
}

/// Finds the module whose code contains `address`.
bool find_module(std::uintptr_t address, module& found) {
    return for_each_module([&](const dl_phdr_info& info) {
        for (int i = 0; i < info.dlpi_phnum; ++i) {
            const ElfW(Phdr)& part = info.dlpi_phdr[i];
            const std::uintptr_t begin = info.dlpi_addr + part.p_vaddr;
            if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
            if (address < begin || address >= begin + part.p_memsz) continue;
            found = read_module(info, part);
            return true;
        }
        return false;
    });
}

unsigned long long unloads_so_far() {
    unsigned long long seen = 0;
    for_each_module([&](const dl_phdr_info& info) {
        seen = info.dlpi_subs;
        return true;
    });
    return seen;
}

/// What the pool's process calls its modules; used in workers only, by their main thread.
struct foreign_module {
    std::uintptr_t base = 0;
    std::string problem; ///< why it cannot be used, if so
};
std::vector<foreign_module>& foreign() {
    static auto* const only = new std::vector<foreign_module>;
    return *only;
}

bool find_build(const std::string& build, std::uintptr_t& base) {
    return for_each_module([&](const dl_phdr_info& info) {
        if (build_of(info) != build) return false;
        base = info.dlpi_addr;
        return true;
    });
}

} // namespace

function_ref name_function(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    const unsigned long long unloads = unloads_so_far();
    table& all = modules();
    std::lock_guard lock(all.mutex);
    if (unloads != all.unloads) { // what we know may have gone; numbers stay, addresses do not
        for (module& each : all.named) each.begin = each.end = 0;
        all.unloads = unloads;
    }
    for (std::size_t i = 0; i < all.named.size(); ++i) {
        const module& each = all.named[i];
        if (wanted >= each.begin && wanted < each.end) {
            return {static_cast<std::uint32_t>(i), wanted - each.base};
        }
    }
    module found;
    if (!find_module(wanted, found)) {
        throw std::invalid_argument("the function lies in no module of this program, so another "
                                    "process cannot find it; was it made at run time?");
    }
    const std::uint64_t offset = wanted - found.base;
    all.named.push_back(std::move(found));
    return {static_cast<std::uint32_t>(all.named.size() - 1), offset};
}

std::string main_build() {
    std::string build;
    for_each_module([&](const dl_phdr_info& info) { // the program comes first
        build = build_of(info);
        return true;
    });
    return build;
}

std::uint32_t modules_named() {
    table& all = modules();
    std::lock_guard lock(all.mutex);
    return static_cast<std::uint32_t>(all.named.size());
}

shared_message describe_module(std::uint32_t number) {
    table& all = modules();
    std::lock_guard lock(all.mutex);
    const module& named = all.named.at(number);
    return make_frame(frame_kind::module, number, [&](message& to) {
        append_text(to, named.build);
        append_text(to, named.path);
    });
}

void learn_module(reader& from) {
    const std::string build = take_text(from), path = take_text(from);
    foreign_module known;
    if (!find_build(build, known.base)) {
        const char* why = "it is another build of the library";
        if (!dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) why = dlerror();
        if (!find_build(build, known.base)) {
            known.problem = "the worker cannot load the library " + path + " (build " + build +
                            ") that the function is in: " + why;
        }
    }
    const auto number = static_cast<std::size_t>(from.head().id);
    if (number != foreign().size()) throw error("modules were described out of order");
    foreign().push_back(std::move(known));
}

const void* find_function(function_ref named) {
    if (named.module >= foreign().size()) throw error("a function of a module nobody described");
    const foreign_module& in = foreign()[named.module];
    if (!in.problem.empty()) throw error(in.problem);
    return reinterpret_cast<const void*>(in.base + named.offset);
}

std::uint32_t introduce(frame_sink& to, const worker_settings& settings) {
    const std::uint32_t known = modules_named();
    for (std::uint32_t i = 0; i < known; ++i) to.add(describe_module(i));
    to.add(make_frame(frame_kind::configure, 0, [&](message& m) {
        m.append_value(wire_version);
        append_text(m, main_build());
        m.append_value(settings.is_process);
        m.append_value(settings.memory_limit);
        m.append_value(settings.initializer);
        append_text(m, settings.name);
    }));
    return known;
}

worker_settings read_settings(reader& from) {
    worker_settings told;
    const auto version = from.take_value<std::uint32_t>();
    const std::string build = take_text(from);
    if (version != wire_version || build != main_build()) {
        throw error("the worker is another build of the program than its parent: " + main_build() +
                    " instead of " + build);
    }
    told.is_process = from.take_value<bool>();
    told.memory_limit = from.take_value<std::uint64_t>();
    told.initializer = from.take_value<function_ref>();
    told.name = take_text(from);
    return told;
}

} // namespace heddle::detail
