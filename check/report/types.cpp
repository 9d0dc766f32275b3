#include "types.hpp"

#include "text.hpp"

#include <dwarf.h>
#include <fmt/format.h>

#include <cstring>

namespace heddle::check {

namespace {

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

bool starts_with_any(const char* name, std::initializer_list<const char*> words) {
    for (const char* w : words)
        if (name != nullptr && std::strncmp(name, w, std::strlen(w)) == 0) return true;
    return false;
}

enum class opening { closed, whole, members };

/// How far a type of the standard library is opened: a vector's insides are nobody's business, an
/// atomic is one value to its user, a pair is what stands in it.
opening opening_of(Dwarf_Die* type) {
    const char* name = dwarf_diename(type);
    if (starts_with_any(name, {"atomic<", "atomic_flag", "__atomic"})) return opening::whole;
    if (starts_with_any(name, {"pair<", "array<"})) return opening::members;
    const char* file = dwarf_decl_file(type);
    return file != nullptr && is_system_file(file) ? opening::closed : opening::members;
}

value_kind kind_of(Dwarf_Die* type) {
    switch (dwarf_tag(type)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type: return value_kind::pointer;
    case DW_TAG_enumeration_type: return value_kind::integer;
    case DW_TAG_base_type: break;
    default: return value_kind::unknown;
    }
    Dwarf_Attribute a;
    Dwarf_Word encoding = 0;
    dwarf_formudata(dwarf_attr(type, DW_AT_encoding, &a), &encoding);
    switch (encoding) {
    case DW_ATE_boolean: return value_kind::boolean;
    case DW_ATE_float: return value_kind::floating;
    case DW_ATE_unsigned: return value_kind::natural;
    case DW_ATE_signed: return value_kind::integer;
    case DW_ATE_signed_char:
    case DW_ATE_unsigned_char: return value_kind::character;
    case DW_ATE_address: return value_kind::pointer;
    default: return value_kind::unknown;
    }
}

part array_part(Dwarf_Die* type, std::size_t offset, int depth) {
    Dwarf_Die element;
    if (!type_of(type, &element)) return {};
    const std::size_t size = size_of(&element);
    if (size == 0) return {};
    part p = part_at(element, offset % size, depth + 1);
    p.name = fmt::format("[{}]", offset / size) + p.name;
    return p;
}

} // namespace

bool type_of(Dwarf_Die* die, Dwarf_Die* into) {
    Dwarf_Attribute a;
    return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &a), into) != nullptr &&
           peel(into);
}

std::size_t size_of(Dwarf_Die* type) {
    Dwarf_Word size = 0;
    return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
}

part part_at(Dwarf_Die type, std::size_t offset, int depth) {
    if (depth > 12 || !peel(&type)) return {};
    const int tag = dwarf_tag(&type);
    if (tag == DW_TAG_array_type) return array_part(&type, offset, depth);
    if (tag != DW_TAG_structure_type && tag != DW_TAG_class_type && tag != DW_TAG_union_type)
        return {"", kind_of(&type), false};
    const opening how = opening_of(&type);
    if (how == opening::closed) return {"", value_kind::unknown, true};
    Dwarf_Die child;
    if (dwarf_child(&type, &child) != 0) return {};
    do {
        const int kind = dwarf_tag(&child);
        if (kind != DW_TAG_member && kind != DW_TAG_inheritance) continue;
        Dwarf_Attribute a;
        Dwarf_Word at = 0;
        const bool placed =
            dwarf_formudata(dwarf_attr(&child, DW_AT_data_member_location, &a), &at) == 0;
        if (!placed && tag != DW_TAG_union_type) continue;
        Dwarf_Die member;
        if (!type_of(&child, &member)) continue;
        if (offset < at || offset >= at + size_of(&member)) continue;
        part p = part_at(member, offset - at, depth + 1);
        const char* name = dwarf_diename(&child);
        if (how == opening::whole) p.name.clear();
        else if (starts_with_any(name, {"_vptr"})) p.kind = value_kind::vptr;
        else if (kind == DW_TAG_member && name != nullptr && name[0] != '_')
            p.name = fmt::format(".{}{}", name, p.name);
        return p;
    } while (dwarf_siblingof(&child, &child) == 0);
    return {};
}

} // namespace heddle::check
