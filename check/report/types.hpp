#pragma once
// Types of variables in debug information: how large, which member, how a value is shown.

#include <elfutils/libdw.h>

#include <string>

namespace heddle::check {

/// How the bytes of a variable are to be read.
enum class value_kind { unknown, integer, natural, boolean, character, floating, pointer, vptr };

/// What lies at some place in a variable.
struct part {
    std::string name; // ".balance", "[3].next"
    value_kind kind = value_kind::unknown;
    bool library = false; // the insides of a vector, string, shared_ptr, ...
};

/// Follows the attribute DW_AT_type of `die`, through typedefs and qualifiers.
bool type_of(Dwarf_Die* die, Dwarf_Die* into);

/// In bytes; 0 when unknown.
std::size_t size_of(Dwarf_Die* type);

/// What an object of this type has at `offset`.
part part_at(Dwarf_Die type, std::size_t offset, int depth = 0);

} // namespace heddle::check
