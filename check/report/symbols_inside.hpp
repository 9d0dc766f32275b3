#pragma once
// The inside of symbols; known to symbols.cpp and names.cpp only.

#include "symbols.hpp"
#include "text.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <map>
#include <set>
#include <vector>

namespace heddle::check {

struct variable {
    u64 size = 0;
    std::string name;
    Dwarf_Die type{};
    bool has_type = false;
};

std::string demangle(const char* name);

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
    std::map<std::string, Dwarf_Die> types; // the program's structures, by unqualified name

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

    bool in_system(u64 address) const { // the C and C++ libraries, and heddle's own runtime
        for (const auto& m : modules)
            if (address >= m.begin && address < m.end) return m.instrumented == 2;
        return false;
    }

    /// The code of a function, by where it begins; of the units that were asked for.
    struct code {
        u64 end;
        Dwarf_Die die;
    };
    mutable std::map<u64, code> functions;
    mutable std::set<const void*> listed; // units
    void list_functions(Dwarf_Die* parent, u64 bias) const;
    std::vector<Dwarf_Die> scopes_at(const unit& in, u64 address) const;

    struct function_scope {
        Dwarf_Die die{};
        bool by_cfa = true;
    };
    mutable std::map<u64, function_scope> known_scopes; // what scope_at() found before
    const function_scope& scope_at(u64 pc) const;

    void add_variable(Dwarf_Die* die, u64 bias, const std::string& owner);
    void walk(Dwarf_Die* parent, u64 bias, const std::string& owner, int depth);
    void list_globals(Dwfl_Module* module);
    bool local_at(u64 address, const object& o, named& into) const;
    bool global_at(u64 address, named& into) const;
    bool heap_at(const symbols& names, u64 address, const object& o, named& into) const;
    struct allocation {
        std::string type;
        source_place place;
    };
    allocation allocated(const symbols& names, const object& o) const;
    u64 size_of_type(const std::string& name) const;
};

} // namespace heddle::check
