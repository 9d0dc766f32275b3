#pragma once
// Names for addresses, from the debug information of the program.

#include "finding.hpp"

#include <memory>

namespace heddle::check {

class symbols {
public:
    explicit symbols(const channel& c);
    ~symbols();
    symbols(const symbols&) = delete;
    symbols& operator=(const symbols&) = delete;

    /// The calls that a return address stands in, inlined ones too, innermost first.
    const std::vector<source_place>& calls_at(u64 pc) const;

    /// The innermost place that is in the program's own sources and not in a system header; of
    /// frames without debug information, module and offset.
    source_place place_of(const frames& f) const;

    /// "counter", "account.balance", "total (of main)", "block of 24 bytes from main.cpp:31, +8".
    std::string name_of(u64 address, u32 size, const object& o) const;

    bool has_debug_info() const;

private:
    struct implementation;
    std::unique_ptr<implementation> i_;
};

} // namespace heddle::check
