#include "symbols.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <map>

namespace heddle::check {

namespace {

struct variable {
    u64 size = 0;
    std::string name;
    Dwarf_Die type{};
    bool has_type = false;
};

std::string demangle(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    const std::string result = text == nullptr ? name : text;
    std::free(text);
    return result;
}

/// "f" of "ns::f(int)::{lambda()#1}::operator()() const" and the like: shorter, still telling.
std::string short_function(std::string name) {
    if (name.find("{lambda") != std::string::npos || name == "operator()") return "a lambda";
    if (const auto open = name.find('('); open != std::string::npos && open > 0) name.resize(open);
    if (const auto space = name.rfind(' ');
        space != std::string::npos && name.find('<') == std::string::npos)
        name.erase(0, space + 1);
    return name;
}

bool peel(Dwarf_Die* type) { // through typedefs and qualifiers
    for (;;) {
        const int tag = dwarf_tag(type);
        if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type &&
            tag != DW_TAG_atomic_type)
            return true;
        Dwarf_Attribute a;
        if (dwarf_formref_die(dwarf_attr_integrate(type, DW_AT_type, &a), type) == nullptr)
            return false;
    }
}

bool type_of(Dwarf_Die* die, Dwarf_Die* into) {
    Dwarf_Attribute a;
    return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &a), into) != nullptr &&
           peel(into);
}

u64 size_of(Dwarf_Die* type) {
    Dwarf_Word size = 0;
    return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
}

bool is_library_type(Dwarf_Die* type) {
    const char* name = dwarf_diename(type);
    if (name == nullptr) return false;
    return std::strncmp(name, "atomic<", 7) == 0 || std::strncmp(name, "mutex", 5) == 0 ||
           std::strncmp(name, "condition_variable", 18) == 0 || std::strncmp(name, "__", 2) == 0 ||
           std::strncmp(name, "counting_semaphore", 18) == 0 ||
           std::strncmp(name, "vector<", 7) == 0 || std::strncmp(name, "basic_string<", 13) == 0 ||
           name[0] == '_';
}

/// ".balance", "[3].next": the part of an object of this type that lies at `offset`.
std::string member_at(Dwarf_Die type, u64 offset, int depth = 0) {
    if (depth > 8 || !peel(&type)) return "";
    const int tag = dwarf_tag(&type);
    if (tag == DW_TAG_array_type) {
        Dwarf_Die element;
        if (!type_of(&type, &element)) return "";
        const u64 size = size_of(&element);
        if (size == 0) return "";
        return fmt::format("[{}]", offset / size) + member_at(element, offset % size, depth + 1);
    }
    if (tag != DW_TAG_structure_type && tag != DW_TAG_class_type) return "";
    if (is_library_type(&type)) return "";
    Dwarf_Die child;
    if (dwarf_child(&type, &child) != 0) return "";
    do {
        const int kind = dwarf_tag(&child);
        if (kind != DW_TAG_member && kind != DW_TAG_inheritance) continue;
        Dwarf_Attribute a;
        Dwarf_Word at = 0;
        if (dwarf_formudata(dwarf_attr(&child, DW_AT_data_member_location, &a), &at) != 0) continue;
        Dwarf_Die member;
        if (!type_of(&child, &member)) continue;
        if (offset < at || offset >= at + size_of(&member)) continue;
        const char* name = dwarf_diename(&child);
        const std::string own =
            kind == DW_TAG_member && name != nullptr ? fmt::format(".{}", name) : "";
        return own + member_at(member, offset - at, depth + 1);
    } while (dwarf_siblingof(&child, &child) == 0);
    return "";
}

bool is_system_file(const std::string& file) {
    return file.rfind("/usr/include/", 0) == 0 || file.rfind("/usr/lib/", 0) == 0 ||
           file.find("/include/c++/") != std::string::npos ||
           file.find("/sysdeps/") != std::string::npos || file.empty();
}

} // namespace

struct symbols::implementation {
    Dwfl* dwfl = nullptr;
    std::vector<module_info> modules;
    std::map<u64, variable> globals; // by address

    /// The code of one compilation unit. Own table: clang writes none (.debug_aranges).
    struct unit {
        u64 begin, end, bias;
        Dwarf_Die die;
    };
    std::vector<unit> units;

    const unit* unit_at(u64 address) const {
        for (const unit& u : units)
            if (address >= u.begin && address < u.end) return &u;
        return nullptr;
    }

    void add_ranges(Dwarf_Die* die, u64 bias) {
        Dwarf_Addr base = 0, begin = 0, end = 0;
        std::ptrdiff_t at = 0;
        while ((at = dwarf_ranges(die, at, &base, &begin, &end)) > 0)
            units.push_back({begin + bias, end + bias, bias, *die});
    }

    bool debug_info = false;
    std::map<u64, std::vector<source_place>> calls; // what calls_at() found before

    Dwfl_Module* module_at(u64 address) const { return dwfl_addrmodule(dwfl, address); }

    bool in_system(u64 pc) const { // the C and C++ libraries, and heddle's own runtime
        for (const auto& m : modules)
            if (pc >= m.begin && pc < m.end) return m.instrumented == 2;
        return false;
    }

    void add_variable(Dwarf_Die* die, u64 bias, const std::string& owner) {
        Dwarf_Attribute a;
        if (dwarf_attr_integrate(die, DW_AT_location, &a) == nullptr) return;
        Dwarf_Op* ops = nullptr;
        std::size_t count = 0;
        if (dwarf_getlocation(&a, &ops, &count) != 0 || count != 1 || ops[0].atom != DW_OP_addr)
            return;
        variable v;
        const char* name = nullptr;
        Dwarf_Attribute n;
        name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &n));
        if (name == nullptr) return;
        v.name = owner.empty() ? name : fmt::format("{} (of {})", name, owner);
        v.has_type = type_of(die, &v.type);
        v.size = v.has_type ? size_of(&v.type) : 1;
        globals[ops[0].number + bias] = v;
    }

    void walk(Dwarf_Die* parent, u64 bias, const std::string& owner, int depth) {
        Dwarf_Die child;
        if (depth > 12 || dwarf_child(parent, &child) != 0) return;
        do {
            const int tag = dwarf_tag(&child);
            if (tag == DW_TAG_variable) add_variable(&child, bias, owner);
            if (tag == DW_TAG_namespace || tag == DW_TAG_lexical_block)
                walk(&child, bias, owner, depth + 1);
            if (tag == DW_TAG_subprogram) {
                const char* name = dwarf_diename(&child);
                walk(&child, bias, name == nullptr ? "a function" : name, depth + 1);
            }
        } while (dwarf_siblingof(&child, &child) == 0);
    }

    void list_globals(Dwfl_Module* module) {
        Dwarf_Die* unit_die = nullptr;
        Dwarf_Addr bias = 0;
        while ((unit_die = dwfl_module_nextcu(module, unit_die, &bias)) != nullptr) {
            debug_info = true;
            add_ranges(unit_die, bias);
            walk(unit_die, bias, "", 0);
        }
    }

    std::string local_at(u64 address, const object& o) const;
    std::string global_at(u64 address) const;
};

symbols::symbols(const channel& c) : i_(std::make_unique<implementation>()) {
    static const Dwfl_Callbacks callbacks = {dwfl_build_id_find_elf,
                                             dwfl_standard_find_debuginfo,
                                             dwfl_offline_section_address,
                                             nullptr};
    i_->dwfl = dwfl_begin(&callbacks);
    dwfl_report_begin(i_->dwfl);
    for (u32 m = 0; m < c.modules && m < max_modules; ++m) {
        const module_info& info = c.module[m];
        i_->modules.push_back(info);
        if (info.path[0] == '/')
            dwfl_report_elf(i_->dwfl, info.path, info.path, -1, info.base, true);
    }
    dwfl_report_end(i_->dwfl, nullptr, nullptr);
    for (const auto& info : i_->modules) {
        if (info.instrumented != 1) continue; // only the program's own variables are told
        if (Dwfl_Module* m = i_->module_at(info.begin)) i_->list_globals(m);
    }
}

symbols::~symbols() {
    dwfl_end(i_->dwfl);
}

bool symbols::has_debug_info() const {
    return i_->debug_info;
}

const std::vector<source_place>& symbols::calls_at(u64 pc) const {
    const auto [known, fresh] = i_->calls.try_emplace(pc);
    std::vector<source_place>& calls = known->second;
    if (!fresh) return calls;
    const u64 at = pc - 1; // a return address stands behind its call
    Dwfl_Module* module = i_->module_at(at);
    if (module == nullptr) return calls;
    source_place place;
    const auto* found = i_->unit_at(at);
    const u64 bias = found == nullptr ? 0 : found->bias;
    Dwarf_Die unit_die{};
    if (found != nullptr) unit_die = found->die;
    Dwarf_Die* unit = found == nullptr ? nullptr : &unit_die;
    if (Dwarf_Line* line = unit == nullptr ? nullptr : dwarf_getsrc_die(unit, at - bias)) {
        const char* file = dwarf_linesrc(line, nullptr, nullptr);
        place.file = file == nullptr ? "" : file;
        dwarf_lineno(line, &place.line);
    }
    // The first list leaves the code for the inlined function's own scopes; the second goes
    // outwards through the calls.
    Dwarf_Die *innermost = nullptr, *scopes = nullptr;
    int count = unit == nullptr ? 0 : dwarf_getscopes(unit, at - bias, &innermost);
    if (count > 0) count = dwarf_getscopes_die(&innermost[0], &scopes);
    std::free(innermost);
    Dwarf_Files* files = nullptr;
    std::size_t file_count = 0;
    if (unit != nullptr) dwarf_getsrcfiles(unit, &files, &file_count);
    for (int i = 0; i < count; ++i) {
        const int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine) continue;
        Dwarf_Attribute a;
        const char* name = dwarf_formstring(dwarf_attr_integrate(&scopes[i], DW_AT_name, &a));
        place.function = short_function(name == nullptr ? "" : name);
        calls.push_back(place);
        if (tag == DW_TAG_subprogram) break;
        Dwarf_Word file = 0, line = 0;
        dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_file, &a), &file);
        dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_line, &a), &line);
        const char* path =
            files == nullptr ? nullptr : dwarf_filesrc(files, file, nullptr, nullptr);
        place.file = path == nullptr ? "" : path;
        place.line = static_cast<int>(line);
    }
    std::free(scopes);
    if (calls.empty()) {
        GElf_Sym symbol;
        GElf_Off offset = 0;
        const char* name =
            dwfl_module_addrinfo(module, at, &offset, &symbol, nullptr, nullptr, nullptr);
        if (name != nullptr) place.function = short_function(demangle(name));
        calls.push_back(place);
    }
    return calls;
}

source_place symbols::place_of(const frames& f) const {
    source_place first;
    for (u32 i = 0; i < f.count && i < max_frames; ++i) {
        if (i_->in_system(f.pc[i])) continue;
        for (const auto& call : calls_at(f.pc[i])) {
            if (first.file.empty() && first.function.empty()) first = call;
            if (!is_system_file(call.file)) return call;
        }
    }
    if (!first.file.empty() || f.count == 0) return first;
    for (const auto& m : i_->modules) // no debug information: say at least where
        if (f.pc[0] >= m.begin && f.pc[0] < m.end) {
            const char* slash = std::strrchr(m.path, '/');
            first.file =
                fmt::format("{}+{:#x}", slash == nullptr ? m.path : slash + 1, f.pc[0] - m.base);
        }
    return first;
}

std::string symbols::implementation::global_at(u64 address) const {
    auto next = globals.upper_bound(address);
    if (next == globals.begin()) return "";
    const auto& [base, v] = *--next;
    if (address >= base + std::max<u64>(v.size, 1)) return "";
    return v.has_type ? v.name + member_at(v.type, address - base) : v.name;
}

namespace {

/// Looks through a function's scopes for the variable whose place in the frame covers `address`.
bool find_local(Dwarf_Die* scope, u64 address, u64 cfa, bool by_cfa, std::string& into) {
    Dwarf_Die child;
    if (dwarf_child(scope, &child) != 0) return false;
    do {
        const int tag = dwarf_tag(&child);
        if (tag == DW_TAG_lexical_block && find_local(&child, address, cfa, by_cfa, into))
            return true;
        if (tag != DW_TAG_variable && tag != DW_TAG_formal_parameter) continue;
        Dwarf_Attribute a;
        if (dwarf_attr_integrate(&child, DW_AT_location, &a) == nullptr) continue;
        Dwarf_Op* ops = nullptr;
        std::size_t count = 0;
        if (dwarf_getlocation(&a, &ops, &count) != 0 || count != 1 || ops[0].atom != DW_OP_fbreg)
            continue;
        const u64 base = by_cfa ? cfa : cfa - 16; // the frame pointer stands 16 below
        const u64 at = base + ops[0].number;
        Dwarf_Die type;
        if (!type_of(&child, &type)) continue;
        if (address < at || address >= at + std::max<u64>(size_of(&type), 1)) continue;
        const char* name = dwarf_diename(&child);
        if (name == nullptr) continue;
        into = name + member_at(type, address - at);
        return true;
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

} // namespace

std::string symbols::implementation::local_at(u64 address, const object& o) const {
    if (o.frame_cfa == 0 || o.frame_pc == 0) return "";
    const unit* found = unit_at(o.frame_pc - 1);
    if (found == nullptr) return "";
    Dwarf_Die unit_die = found->die;
    Dwarf_Die* scopes = nullptr;
    Dwarf_Die* innermost = nullptr;
    int count = dwarf_getscopes(&unit_die, o.frame_pc - 1 - found->bias, &innermost);
    if (count > 0) count = dwarf_getscopes_die(&innermost[0], &scopes);
    std::free(innermost);
    std::string result;
    for (int i = 0; i < count; ++i) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_subprogram) continue;
        Dwarf_Attribute a;
        Dwarf_Op* ops = nullptr;
        std::size_t length = 0;
        bool by_cfa = true;
        if (dwarf_attr_integrate(&scopes[i], DW_AT_frame_base, &a) != nullptr &&
            dwarf_getlocation(&a, &ops, &length) == 0 && length == 1)
            by_cfa = ops[0].atom == DW_OP_call_frame_cfa;
        find_local(&scopes[i], address, o.frame_cfa, by_cfa, result);
        break;
    }
    std::free(scopes);
    return result;
}

std::string symbols::name_of(u64 address, u32 size, const object& o) const {
    (void)size;
    if (o.kind == object::stack)
        if (auto name = i_->local_at(address, o); !name.empty()) return name;
    if (o.kind == object::heap) {
        const source_place p = place_of(o.site);
        const auto slash = p.file.rfind('/');
        std::string text = fmt::format("block of {} bytes", o.size);
        if (!p.file.empty())
            text += fmt::format(" from {}:{}",
                                slash == std::string::npos ? p.file : p.file.substr(slash + 1),
                                p.line);
        if (address != o.base) text += fmt::format(", +{}", address - o.base);
        return text;
    }
    if (auto name = i_->global_at(address); !name.empty()) return name;
    if (Dwfl_Module* module = i_->module_at(address)) {
        GElf_Sym symbol;
        GElf_Off offset = 0;
        const char* name =
            dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
        if (name != nullptr)
            return offset == 0 ? demangle(name) : fmt::format("{}+{}", demangle(name), offset);
    }
    if (o.kind == object::stack) return fmt::format("a local of thread {}", o.thread);
    return fmt::format("{:#x}", address);
}

} // namespace heddle::check
