#pragma once
// Names for addresses, from the debug information of the program.

#include "finding.hpp"

#include <memory>
#include <set>
#include <string>

namespace heddle::check {

/// A variable as people call it.
struct named {
    std::string name; // "counter", "account.balance", "int[3] (heap, main.cpp:31)"
    value_kind kind = value_kind::unknown;
    bool library = false; // somewhere inside an object of the standard library
    bool nameless = true; // the program has no name for it: a heap block, an internal
    bool element = false; // in a block that a container of the standard library made for it
};

/// The name of all that lies in libraries of the system: where localtime() keeps its result.
inline constexpr const char* c_library_memory = "static memory of the C library";

class symbols {
public:
    explicit symbols(const channel& c);
    ~symbols();
    symbols(const symbols&) = delete;
    symbols& operator=(const symbols&) = delete;

    /// The calls that a return address stands in, inlined ones too, innermost first.
    const std::vector<source_place>& calls_at(u64 pc) const;

    /// The innermost place that is in the program's own sources and not in a system header, nor in
    /// one of these functions unless all are; of frames without debug information, module and
    /// offset.
    source_place place_of(const frames& f, const std::set<std::string>& but_not_in = {}) const;

    /// Whether any of the frames is in the program's own sources.
    bool in_program(const frames& f) const;

    /// The function of the standard library that the program's line called and that these frames
    /// stand in: "push_back". Empty when they stand in the program's own code.
    std::string library_call(const frames& f) const;

    /// The name of the function that begins at `address`, without scopes and arguments.
    std::string function_at(u64 address) const;

    /// Whether one of the calls is of a function whose mangled name has `part` in it, or which
    /// stands in the header of that name: functions of lambdas have no mangled names.
    bool stands_in(const frames& f, const char* part) const;

    /// What lies at the address.
    named variable_at(u64 address, const object& o) const;

    bool has_debug_info() const;

private:
    struct implementation;
    std::unique_ptr<implementation> i_;
};

} // namespace heddle::check
