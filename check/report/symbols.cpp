#include "symbols_inside.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace heddle::check {

std::string demangle(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    const std::string result = text == nullptr ? name : text;
    std::free(text);
    return result;
}

namespace {

/// Without template arguments. The signs of an operator are no brackets.
std::string without_brackets(const std::string& name) {
    static const std::string word = "operator";
    const auto at = name.find(word);
    const auto op = at == std::string::npos ? name.size() : at + word.size();
    std::size_t signs = 0;
    for (const char* sign : {"<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">"})
        if (signs == 0 && name.compare(std::min(op, name.size()), std::strlen(sign), sign) == 0)
            signs = std::strlen(sign);
    std::string text;
    int depth = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool own = i >= op && i < op + signs;
        depth += !own && name[i] == '<';
        if (depth == 0) text += name[i];
        depth -= !own && name[i] == '>' && depth > 0;
    }
    return text;
}

/// "f" of "ns::f<int>(int)::{lambda()#1}::operator()() const" and the like: shorter, still telling.
std::string short_function(std::string name) {
    if (name.find("{lambda") != std::string::npos || name == "operator()") return "a lambda";
    name = without_brackets(name);
    if (const auto open = name.find('('); open != std::string::npos && open > 0) name.resize(open);
    while (!name.empty() && name.back() == ' ') name.pop_back();
    const auto space = name.rfind(' ');
    if (space != std::string::npos && name.rfind("operator ", 0) != 0) name.erase(0, space + 1);
    return name;
}

/// The source file as the compiler was given it, from the folder that it ran in.
std::string whole_path(Dwarf_Die* unit, const char* file) {
    if (file == nullptr) return "";
    Dwarf_Attribute a;
    const char* folder = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &a));
    if (file[0] == '/' || folder == nullptr) return file;
    return (std::filesystem::path(folder) / file).lexically_normal().string();
}

} // namespace

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

void symbols::implementation::list_functions(Dwarf_Die* parent, u64 bias) const {
    Dwarf_Die child;
    if (dwarf_child(parent, &child) != 0) return;
    do {
        list_functions(&child, bias);
        if (dwarf_tag(&child) != DW_TAG_subprogram) continue;
        Dwarf_Addr base = 0, begin = 0, end = 0;
        std::ptrdiff_t at = 0;
        while ((at = dwarf_ranges(&child, at, &base, &begin, &end)) > 0)
            functions[begin + bias] = {end + bias, child};
    } while (dwarf_siblingof(&child, &child) == 0);
}

/// The scopes around an address, innermost first. libdw's own search goes through all of the unit
/// for each, and some programs are one unit of thousands of functions.
std::vector<Dwarf_Die> symbols::implementation::scopes_at(const unit& in, u64 address) const {
    Dwarf_Die unit_die = in.die;
    if (listed.insert(unit_die.addr).second) list_functions(&unit_die, in.bias);
    auto next = functions.upper_bound(address);
    if (next == functions.begin() || address >= (--next)->second.end) return {};
    std::vector<Dwarf_Die> scopes{next->second.die};
    Dwarf_Die child;
    bool more = dwarf_child(&scopes.back(), &child) == 0;
    while (more) {
        const int tag = dwarf_tag(&child);
        const bool scope = tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine;
        if (scope && dwarf_haspc(&child, address - in.bias) > 0) {
            scopes.push_back(child);
            more = dwarf_child(&scopes.back(), &child) == 0;
        } else {
            more = dwarf_siblingof(&child, &child) == 0;
        }
    }
    std::reverse(scopes.begin(), scopes.end());
    return scopes;
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
        place.file = whole_path(unit, dwarf_linesrc(line, nullptr, nullptr));
        dwarf_lineno(line, &place.line);
    }
    std::vector<Dwarf_Die> scopes;
    if (unit != nullptr) scopes = i_->scopes_at(*found, at);
    Dwarf_Files* files = nullptr;
    std::size_t file_count = 0;
    if (unit != nullptr) dwarf_getsrcfiles(unit, &files, &file_count);
    for (Dwarf_Die& scope : scopes) {
        const int tag = dwarf_tag(&scope);
        if (tag == DW_TAG_lexical_block) continue;
        Dwarf_Attribute a;
        const char* name = dwarf_formstring(dwarf_attr_integrate(&scope, DW_AT_name, &a));
        place.function = short_function(name == nullptr ? "" : name);
        const char* mangled =
            dwarf_formstring(dwarf_attr_integrate(&scope, DW_AT_linkage_name, &a));
        place.symbol = mangled == nullptr ? "" : mangled;
        Dwarf_Word begins = 0;
        dwarf_formudata(dwarf_attr_integrate(&scope, DW_AT_decl_line, &a), &begins);
        place.begins = static_cast<int>(begins);
        calls.push_back(place);
        if (tag == DW_TAG_subprogram) break;
        Dwarf_Word file = 0, line = 0;
        dwarf_formudata(dwarf_attr(&scope, DW_AT_call_file, &a), &file);
        dwarf_formudata(dwarf_attr(&scope, DW_AT_call_line, &a), &line);
        place.file = whole_path(
            unit, files == nullptr ? nullptr : dwarf_filesrc(files, file, nullptr, nullptr));
        place.line = static_cast<int>(line);
    }
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

source_place symbols::place_of(const frames& f, const std::set<std::string>& but_not_in) const {
    source_place first;
    bool found = false; // at least one of these functions
    for (u32 i = 0; i < f.count && i < max_frames; ++i) {
        if (i_->in_system(f.pc[i])) continue;
        for (const auto& call : calls_at(f.pc[i])) {
            const bool ours = !is_system_file(call.file);
            if (ours && !but_not_in.contains(call.function)) return call;
            if ((first.file.empty() && first.function.empty()) || (ours && !found)) first = call;
            found |= ours;
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

bool symbols::in_program(const frames& f) const {
    for (u32 i = 0; i < f.count && i < max_frames; ++i) {
        if (i_->in_system(f.pc[i])) continue;
        for (const auto& call : calls_at(f.pc[i]))
            if (!is_system_file(call.file)) return true;
    }
    return false;
}

bool symbols::stands_in(const frames& f, const char* part) const {
    for (u32 i = 0; i < f.count && i < max_frames; ++i)
        for (const auto& call : calls_at(f.pc[i]))
            if (call.symbol.find(part) != std::string::npos ||
                (is_system_file(call.file) && call.file.ends_with(std::string("/") + part)))
                return true;
    return false;
}

std::string symbols::function_at(u64 address) const {
    const auto& calls = calls_at(address + 1);
    if (calls.empty()) return "";
    const std::string& whole = calls.front().function;
    const auto scope = whole.rfind("::");
    return scope == std::string::npos ? whole : whole.substr(scope + 2);
}

std::string symbols::library_call(const frames& f) const {
    std::string outermost;
    for (u32 i = 0; i < f.count && i < max_frames; ++i) {
        if (i_->in_system(f.pc[i])) continue;
        for (const auto& call : calls_at(f.pc[i])) {
            if (!is_system_file(call.file)) return outermost;
            outermost = call.function;
        }
    }
    return "";
}

} // namespace heddle::check
