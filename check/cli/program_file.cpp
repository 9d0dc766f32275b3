// What a program file tells before it is run: whether the runtime can take hold of it.
#include "session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace heddle::check {

namespace {

struct traits {
    bool dynamic = false;
    bool defines_tsan = false; // its own, static runtime
    bool calls_tsan = false;
};

void read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, traits& t) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, i, &symbol) == nullptr) continue;
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr || std::strncmp(name, "__tsan_", 7) != 0) continue;
        if (std::strcmp(name, "__tsan_func_entry") != 0 && std::strcmp(name, "__tsan_init") != 0)
            continue;
        (symbol.st_shndx == SHN_UNDEF ? t.calls_tsan : t.defines_tsan) = true;
    }
}

void read_build_id(Elf* elf, Elf_Scn* section, std::string& into) {
    (void)elf;
    Elf_Data* data = elf_getdata(section, nullptr);
    GElf_Nhdr note;
    std::size_t at = 0, name = 0, bytes = 0;
    while (data != nullptr && (at = gelf_getnote(data, at, &note, &name, &bytes)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID) continue;
        const auto* p = static_cast<const unsigned char*>(data->d_buf) + bytes;
        for (GElf_Word i = 0; i < note.n_descsz; ++i) into += fmt::format("{:02x}", p[i]);
        return;
    }
}

std::string digest_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    u64 hash = 0xcbf29ce484222325; // FNV-1a: tells builds apart, does not defend against anybody
    char buffer[1 << 16];
    while (in.read(buffer, sizeof buffer) || in.gcount() > 0)
        for (std::streamsize i = 0; i < in.gcount(); ++i)
            hash = (hash ^ static_cast<unsigned char>(buffer[i])) * 0x100000001b3;
    return fmt::format("{:016x}", hash);
}

traits read_elf(Elf* elf, const std::string& path, std::string& build_id) {
    GElf_Ehdr header;
    if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == nullptr)
        throw not_checkable(fmt::format(
            "'{}' is not a compiled program (no ELF file); of a script, check what it starts",
            path));
#if defined(__x86_64__)
    constexpr auto own_machine = EM_X86_64;
#else
    constexpr auto own_machine = EM_AARCH64;
#endif
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != own_machine)
        throw not_checkable(fmt::format(
            "'{}' is built for another machine (32 bits?); build it for this one", path));
    traits t;
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr s;
        if (gelf_getshdr(section, &s) == nullptr) continue;
        if (s.sh_type == SHT_DYNAMIC) t.dynamic = true;
        if (s.sh_type == SHT_DYNSYM || s.sh_type == SHT_SYMTAB) read_symbols(elf, section, s, t);
        if (s.sh_type == SHT_NOTE && build_id.empty()) read_build_id(elf, section, build_id);
    }
    return t;
}

} // namespace

program_file examine(const std::string& given) {
    namespace fs = std::filesystem;
    std::error_code error;
    program_file file;
    file.path = fs::absolute(given, error).lexically_normal().string();
    const auto status = fs::status(file.path, error);
    if (!fs::exists(status)) throw not_checkable(fmt::format("there is no file '{}'", given));
    if (!fs::is_regular_file(status)) throw not_checkable(fmt::format("'{}' is not a file", given));
    if (::access(file.path.c_str(), X_OK) != 0)
        throw not_checkable(fmt::format("'{}' may not be executed (chmod +x?)", given));
    const auto bits = fs::perms::set_uid | fs::perms::set_gid;
    if ((status.permissions() & bits) != fs::perms::none)
        throw not_checkable(
            fmt::format("'{}' changes its user or group when it starts (setuid), and "
                        "loads no library of ours then; check a copy without",
                        given));
    const int fd = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw not_checkable(fmt::format("'{}' cannot be read", given));
    elf_version(EV_CURRENT);
    Elf* elf = elf_begin(fd, ELF_C_READ, nullptr);
    traits t;
    try {
        t = read_elf(elf, given, file.build_id);
    } catch (...) {
        elf_end(elf);
        close(fd);
        throw;
    }
    elf_end(elf);
    close(fd);
    if (t.defines_tsan)
        throw not_checkable(fmt::format("'{}' brings its own copy of TSan's runtime; link it with "
                                        "-shared-libsan (clang), without -static-libtsan (gcc)",
                                        given));
    if (!t.dynamic)
        throw not_checkable(fmt::format(
            "'{}' is linked statically; heddle needs a dynamically linked program", given));
    if (!t.calls_tsan)
        throw not_checkable(
            fmt::format("'{}' is not instrumented; build it with -fsanitize=thread -g "
                        "(clang: also -shared-libsan)",
                        given));
    file.digest = digest_of(file.path);
    return file;
}

} // namespace heddle::check
