// What a variable is called: globals, statics, locals, members, heap blocks.
#include "symbols_inside.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace heddle::check {

namespace {

/// The fixed address that the operation stands for: in the unit itself, or (clang) in its table.
bool fixed_address(Dwarf_Attribute* location, const Dwarf_Op& op, u64& into) {
    into = op.number;
    if (op.atom == DW_OP_addr) return true;
    Dwarf_Attribute in_table;
    Dwarf_Addr address = 0;
    if (op.atom != DW_OP_addrx || dwarf_getlocation_attr(location, &op, &in_table) != 0 ||
        dwarf_formaddr(&in_table, &address) != 0)
        return false;
    into = address;
    return true;
}

} // namespace

void symbols::implementation::add_variable(Dwarf_Die* die, u64 bias, const std::string& owner) {
    Dwarf_Attribute a;
    if (dwarf_attr_integrate(die, DW_AT_location, &a) == nullptr) return;
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    u64 address = 0;
    if (dwarf_getlocation(&a, &ops, &count) != 0 || count != 1) return;
    if (!fixed_address(&a, ops[0], address)) return;
    variable v;
    const char* name = nullptr;
    Dwarf_Attribute n;
    name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &n));
    if (name == nullptr) return;
    v.name = owner.empty() ? name : fmt::format("{} (of {})", name, owner);
    v.has_type = type_of(die, &v.type);
    v.size = v.has_type ? size_of(&v.type) : 1;
    globals[address + bias] = v;
}

void symbols::implementation::walk(Dwarf_Die* parent,
                                   u64 bias,
                                   const std::string& owner,
                                   int depth) {
    Dwarf_Die child;
    if (depth > 12 || dwarf_child(parent, &child) != 0) return;
    do {
        const int tag = dwarf_tag(&child);
        if (tag == DW_TAG_variable) add_variable(&child, bias, owner);
        const char* type_name = dwarf_diename(&child);
        const bool is_type =
            tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_base_type;
        if (is_type && type_name != nullptr && size_of(&child) != 0)
            types.try_emplace(type_name, child);
        Dwarf_Die meant;
        if (tag == DW_TAG_typedef && type_name != nullptr && type_of(&child, &meant) &&
            size_of(&meant) != 0)
            types.try_emplace(type_name, meant);
        if (tag == DW_TAG_namespace || tag == DW_TAG_lexical_block)
            walk(&child, bias, owner, depth + 1);
        if (tag == DW_TAG_subprogram) {
            const char* name = dwarf_diename(&child);
            walk(&child, bias, name == nullptr ? "a function" : name, depth + 1);
        }
    } while (dwarf_siblingof(&child, &child) == 0);
}

void symbols::implementation::list_globals(Dwfl_Module* module) {
    Dwarf_Die* unit_die = nullptr;
    Dwarf_Addr bias = 0;
    while ((unit_die = dwfl_module_nextcu(module, unit_die, &bias)) != nullptr) {
        debug_info = true;
        add_ranges(unit_die, bias);
        walk(unit_die, bias, "", 0);
    }
}

namespace {

void fill(named& into, const std::string& name, const Dwarf_Die& type, u64 offset) {
    const part p = part_at(type, offset);
    into = {name + p.name, p.kind, p.library, false};
}

/// Looks through a function's scopes for the variable whose place in the frame covers `address`.
bool find_local(Dwarf_Die* scope, u64 address, u64 cfa, bool by_cfa, named& into) {
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
        fill(into, name, type, address - at);
        return true;
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

/// What stands in the angle brackets that open at `open`.
std::string bracketed(const std::string& text, std::size_t open) {
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (text[i] == '<') ++depth;
        if (text[i] == '>' && --depth == 0) return text.substr(open + 1, i - open - 1);
    }
    return "";
}

/// "Config" of "ns::Config".
std::string unqualified(const std::string& name) {
    const auto end = std::min(name.find('<'), name.size());
    const auto colon = name.rfind("::", end);
    return colon == std::string::npos ? name : name.substr(colon + 2);
}

/// A container's block of memory for one element; its links come first.
struct node {
    const char* of = nullptr;
    u64 links = 0;
};

node node_of(const std::string& type) {
    if (type.rfind("std::_Rb_tree_node", 0) == 0) return {"std::map or set", 32};
    if (type.rfind("std::_List_node", 0) == 0) return {"std::list", 16};
    if (type.rfind("std::_Fwd_list_node", 0) == 0) return {"std::forward_list", 8};
    const bool hashed = type.rfind("std::__detail::_Hash_node", 0) == 0;
    if (hashed && type.back() == '*') return {"std::unordered_map or set's table", ~u64{0}};
    if (hashed) return {"std::unordered_map or set", 8};
    return {};
}

/// The word behind `before`, as in "new Config(".
std::string word_after(const std::string& line, const char* before) {
    auto at = line.find(before);
    if (at == std::string::npos) return "";
    at += std::strlen(before);
    auto end = at;
    const auto part_of_name = [](char ch) {
        return std::isalnum(static_cast<unsigned char>(ch)) != 0 || ch == '_' || ch == ':';
    };
    while (end < line.size() && part_of_name(line[end])) ++end;
    return line.substr(at, end - at);
}

} // namespace

/// Where the locals of the function at `pc` are listed; none: a null address. Looked for once,
/// since that goes through all that was compiled with it.
const symbols::implementation::function_scope& symbols::implementation::scope_at(u64 pc) const {
    const auto [at, fresh] = known_scopes.try_emplace(pc);
    function_scope& result = at->second;
    const unit* found = fresh ? unit_at(pc - 1) : nullptr;
    if (found == nullptr) return result;
    std::vector<Dwarf_Die> around = scopes_at(*found, pc - 1);
    if (around.empty()) return result;
    result.die = around.back();
    Dwarf_Attribute a;
    Dwarf_Op* ops = nullptr;
    std::size_t length = 0;
    if (dwarf_attr_integrate(&result.die, DW_AT_frame_base, &a) != nullptr &&
        dwarf_getlocation(&a, &ops, &length) == 0 && length == 1)
        result.by_cfa = ops[0].atom == DW_OP_call_frame_cfa;
    return result;
}

bool symbols::implementation::local_at(u64 address, const object& o, named& into) const {
    if (o.frame_cfa == 0 || o.frame_pc == 0) return false;
    function_scope scope = scope_at(o.frame_pc);
    return scope.die.addr != nullptr &&
           find_local(&scope.die, address, o.frame_cfa, scope.by_cfa, into);
}

bool symbols::implementation::global_at(u64 address, named& into) const {
    auto next = globals.upper_bound(address);
    if (next == globals.begin()) return false;
    const auto& [base, v] = *--next;
    if (address >= base + std::max<u64>(v.size, 1)) return false;
    if (v.has_type) fill(into, v.name, v.type, address - base);
    else into = {v.name, value_kind::unknown, false, false};
    return true;
}

u64 symbols::implementation::size_of_type(const std::string& name) const {
    const auto known = types.find(unqualified(name));
    return known == types.end() ? 0 : size_of(const_cast<Dwarf_Die*>(&known->second));
}

/// What the block was made for: the element of a container's allocator, or what follows `new` or
/// `sizeof` in the source line, which may be that of a caller: few C programs call malloc() itself.
/// The type is empty when none tells.
symbols::implementation::allocation symbols::implementation::allocated(const symbols& names,
                                                                       const object& o) const {
    allocation result{"", names.place_of(o.site)};
    constexpr int looked_at = 4;
    int places = 0;
    for (u32 i = 0; i < o.site.count && i < max_frames; ++i)
        for (const auto& call : names.calls_at(o.site.pc[i])) {
            if (call.function == "allocate" && !call.symbol.empty()) {
                const std::string whole = demangle(call.symbol.c_str());
                const auto at = whole.find("allocator<");
                if (at != std::string::npos)
                    return {bracketed(whole, whole.find('<', at)), result.place};
            }
            if (is_system_file(call.file) || ++places > looked_at) continue;
            const std::string line = source_line(call);
            for (const char* before : {"new ", "new(std::nothrow) ", "new (std::nothrow) "})
                if (places == 1 && result.type.empty()) result.type = word_after(line, before);
            if (!result.type.empty()) return result;
            for (const char* before : {"sizeof(struct ", "sizeof(", "sizeof (", "sizeof(const "}) {
                const std::string type = word_after(line, before);
                const u64 size = size_of_type(type);
                if (size != 0 && size <= o.size) return {type, call};
            }
        }
    return result;
}

bool symbols::implementation::heap_at(const symbols& names,
                                      u64 address,
                                      const object& o,
                                      named& into) const {
    auto [type, p] = allocated(names, o);
    const std::string from = p.file.empty() ? "heap" : "heap, " + where(p);
    u64 offset = address - o.base, room = o.size;
    constexpr u64 shared_ptr_counts = 16;
    if (type.rfind("std::_Sp_counted", 0) == 0) { // make_shared: counts and object in one block
        if (offset < shared_ptr_counts) {
            into = {
                fmt::format("counts of a shared_ptr ({})", from), value_kind::unknown, true, true};
            return true;
        }
        offset -= shared_ptr_counts;
        room -= shared_ptr_counts;
        type = bracketed(type, type.find('<'));
        type = type.substr(0, type.find(','));
    }
    if (const node kind = node_of(type); kind.of != nullptr) {
        // Links and keys are the container's own; where the element begins is not asked for.
        into = {fmt::format("an element of a {} ({})", kind.of, from)};
        into.library = offset < kind.links;
        into.element = true;
        return true;
    }
    const u64 size = size_of_type(type);
    if (size == 0 || type.find("::_") != std::string::npos) {
        into = {fmt::format("block of {} ({})", count(o.size, "byte"), from)};
        if (offset != 0) into.name += fmt::format(", +{}", offset);
        return true;
    }
    const std::string element = room >= 2 * size || offset >= size
                                    ? fmt::format("{}[{}]", unqualified(type), offset / size)
                                    : unqualified(type);
    fill(into, element, types.find(unqualified(type))->second, offset % size);
    into.name += fmt::format(" ({})", from);
    into.nameless = true;
    return true;
}

named symbols::variable_at(u64 address, const object& o) const {
    named result;
    if (o.kind == object::stack && i_->local_at(address, o, result)) return result;
    if (o.kind == object::heap && i_->heap_at(*this, address, o, result)) return result;
    if (i_->global_at(address, result)) return result;
    if (i_->in_system(address)) {
        result.name = c_library_memory;
        result.library = true;
        return result;
    }
    if (Dwfl_Module* module = i_->module_at(address)) {
        GElf_Sym symbol;
        GElf_Off offset = 0;
        const char* name =
            dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
        if (name != nullptr) {
            result.name =
                offset == 0 ? demangle(name) : fmt::format("{}+{}", demangle(name), offset);
            return result;
        }
    }
    result.name = o.kind == object::stack ? fmt::format("a local of {}", who(o.thread))
                                          : fmt::format("{:#x}", address);
    return result;
}

} // namespace heddle::check
