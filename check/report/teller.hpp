#pragma once
// How a story is put together; known to the files story*.cpp only.

#include "pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace heddle::check {

inline constexpr std::size_t max_rows = 10;
inline constexpr std::size_t max_sources = 4;

/// A variable that the story is about.
struct told_variable {
    u64 address;
    named what;
    std::string value; // as of the last step told
};

/// A thread looked, another one changed what it saw, and the first went on.
struct stale_look {
    const event *look = nullptr, *change = nullptr, *next = nullptr;
};

/// Functions by which the program locks, waits or notifies whatever it is given: who called them is
/// told, since their own line is the same for all.
std::set<std::string> lock_wrappers(const std::vector<const event*>& events, const symbols& names);

/// Everything that is needed while one story is told.
struct teller {
    finding& f;
    const channel& c;
    const symbols& names;
    const background& known;
    std::vector<const event*> events;
    std::set<std::string> wrappers;
    std::vector<told_variable> variables;
    std::vector<step> steps;
    std::string claim, why, advice;

    source_place place(const frames& w) const { return names.place_of(w, wrappers); }

    // story_steps.cpp: the rows of the table
    void add_access(const event& e, u32 variable);
    void add_library_access(step s, const std::string& call);
    void add_line(const event& e, std::string text);
    void add_end(u32 thread, const std::string& text, const source_place& at);
    void collect(const std::vector<u64>& addresses);
    pattern crop(pattern p);
    void keep_last(std::size_t rows);
    void fill_table() const;

    // story_variable.cpp: what went wrong with a variable
    named variable_at(u64 address) const;
    std::vector<u64> shared_reads(u32 thread, u64 until) const;
    std::string it() const;
    bool polls(const pattern& p) const;
    const event* mutex_of_wait(const step& look) const;
    bool tell_unlocked_change(const step& look, const step& change, const std::string& row);
    void explain(pattern p);
    bool has_joined(u32 thread, u32 other, u64 until) const;
    void explain_early();
    void explain_overtaken(const pattern& p);
    std::string not_yet_written(const step& read) const;
    bool tell_torn_pair(u32 thread, const std::vector<u64>& reads);
    void tell_variable(u64 address, u32 failing);
    bool races_on(const std::string& variable) const;

    // story_stale.cpp: a decision that no longer holds
    pattern rows_of(const stale_look& s);
    bool tell_stale_look(u64 shown);

    // story.cpp: the kinds of failure
    void tell_race();
    void tell_unordered(const access& first, const access& second);
    void tell_virtual(const step& a, const step& b);
    void tell_inside_library(const step& one, const step& two);
    void tell_failure();
    void tell_free();

    // story_return.cpp: a local that outlived its function
    void tell_return();

    // story_waits.cpp: threads that wait for ever
    void tell_blocked();
    void tell_use(const std::set<u64>& objects, const std::set<u64>& looks);
    void tell_wakeup(const blocked_thread& b);
    void
    tell_notification(const blocked_thread& b, const std::string& name, const std::string& sleeper);
    u64 last_look(const blocked_thread& b) const;
    void tell_missed(const blocked_thread& b);
    bool came_back(const blocked_thread& b);
    u64 stream_of(const blocked_thread& b) const;
    void tell_silence();
    void tell_spurious_wakeup();
    std::string waits_on(const blocked_thread& b) const;
    std::string what_it_wants(const blocked_thread& b) const;
    std::string lock_name(u64 address, const object& o) const;

    void remember(const source_place& p) const;
    std::string thread_name(u32 thread) const;
    std::string row_of(std::size_t index) const;
};

/// Accesses of the standard library to the insides of its own objects are told by the function
/// that the program called.
bool inside_library(const told_variable& v, const event& e);

} // namespace heddle::check
