#pragma once
// What went wrong with a variable, read off the order of its reads and writes.

#include "story.hpp"

namespace heddle::check {

/// One step of the story while it is put together.
struct step {
    u64 number = 0; // scheduling step of the run
    u32 thread = 0;
    op kind = op::none;
    bool writes = false, reads = false;
    bool gap = false;    // stands for steps that were left out
    bool inside = false; // of an object of the standard library: without a value
    u32 variable = 0;    // which of those that the story is about
    u64 pc = 0, address = 0, before = 0, after = 0;
    std::string text, value, expected;
    std::string call; // the function of the standard library that does it
    u32 repeated = 0; // how many more times in a row
    source_place place;
};

/// What the steps amount to.
struct pattern {
    enum kind_t {
        none,
        lost_update,     // A reads, B writes, A writes what it made of its old read
        check_then_act,  // A reads, B writes, A reads again
        order_violation, // A reads, and only then B writes for the first time
        polling,         // A reads again and again until B writes
        unordered        // two threads, one of them writes
    } kind = none;
    std::size_t first = 0, other = 0, last = 0; // indices of the steps that make it
};

/// Recognises the pattern in the accesses to one variable.
pattern recognise(const std::vector<step>& steps);

/// The last two accesses of different threads, one of which writes.
pattern last_meeting(const std::vector<step>& steps);

bool is_access(op kind);
bool is_write(const event& e);
bool is_read(const event& e);

/// Whether a function that is compiled into a library does it, whose address is `aux` then.
bool done_by_library(const event& e);

/// Whether the access covers the byte at `address`.
bool touches(const event& e, u64 address);

} // namespace heddle::check
