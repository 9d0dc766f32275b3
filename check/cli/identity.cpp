#include "identity.hpp"

#include "../report/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace heddle::check {

namespace {

/// Failures that a damaged object of the standard library brings about somewhere else each time.
bool is_damage(failure kind) {
    return kind == failure::crash || kind == failure::use_after_free ||
           kind == failure::double_free || kind == failure::uncaught_exception;
}

/// The function, by where it begins: its name is the same for all lambdas.
std::string function_of(const source_place& p) {
    return p.begins == 0 ? where(p) : fmt::format("{}:{} on", file_name(p.file), p.begins);
}

std::string of_two(const std::string& one, const std::string& two, const std::string& variable) {
    return fmt::format("data-race {} {} {}", std::min(one, two), std::max(one, two), variable);
}

/// Without indices: the elements of an array are one variable.
std::string without_indices(const std::string& name) {
    std::string text;
    int depth = 0;
    for (const char ch : name) {
        depth += ch == '[';
        if (depth == 0) text += ch;
        depth -= ch == ']' && depth > 0;
    }
    return text;
}

u32 shown_races(const run_result& r) {
    return std::min(r.races, max_races);
}

/// Of a deadlock and the like: where the threads wait, but for those who only join others.
std::set<std::string> waiting_places(const finding& f, const run_result& r, const symbols& names) {
    std::set<std::string> places;
    for (u32 i = 0; i < r.blocked && i < max_blocked; ++i) {
        const auto& b = r.block[i];
        const bool tells = b.what != wait_for::join &&
                           (f.kind == failure::deadlock || b.what == wait_for::condition ||
                            b.what == wait_for::futex);
        if (tells) places.insert(where(names.place_of(b.where)));
    }
    return places;
}

/// `text` with its thread numbers replaced by letters, in the order in which they come up.
std::string without_numbers(const std::string& text, std::vector<std::string>& threads) {
    static const std::string word = "hread ";
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const bool named = text.compare(i, word.size(), word) == 0;
        result += named ? word : std::string(1, text[i]);
        i += named ? word.size() : 1;
        std::size_t end = i;
        while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
        if (!named || end == i) continue;
        const std::string number = text.substr(i, end - i);
        auto at = std::find(threads.begin(), threads.end(), number);
        if (at == threads.end()) at = threads.insert(threads.end(), number);
        result += static_cast<char>('A' + (at - threads.begin()) % 26);
        i = end;
    }
    return result;
}

} // namespace

std::string told_bugs::path_of(const identity& names) const {
    for (const auto& name : names)
        if (const auto at = path_by_name_.find(name); at != path_by_name_.end()) return at->second;
    return "";
}

void told_bugs::add(const identity& names, const std::string& path) {
    for (const auto& name : names) path_by_name_.try_emplace(name, path);
}

identity race_identity(const channel& c, const symbols& names, u32 race) {
    const auto& r = c.result.race[race];
    const named what = names.variable_at(r.second.address, r.what);
    const frames first = first_access(c, race).where;
    const source_place one = names.place_of(first), two = names.place_of(r.second.where);
    const bool nameless = what.library || what.nameless;
    const std::string object = nameless ? "" : what.name.substr(0, what.name.find_first_of(".["));
    identity all{of_two(where(one), where(two), object)};
    const bool called =
        !names.library_call(first).empty() || !names.library_call(r.second.where).empty();
    // A local without a name could be any of its function.
    const bool variable_known = !what.nameless || r.what.kind == object::heap;
    if (!what.library && !called && variable_known)
        all.push_back(of_two(function_of(one), function_of(two), without_indices(what.name)));
    // An element is reached through its container, so whoever does so in one line without a lock
    // meets all of it: links, key and value.
    for (const frames* at : {&first, &r.second.where})
        if (what.element && names.in_program(*at))
            all.push_back(fmt::format("race on {} {}", what.name, where(names.place_of(*at))));
    return all;
}

identity
identity_of(const finding& f, const channel& c, const symbols& names, const told_bugs& told) {
    const run_result& r = c.result;
    const std::string kind = kind_name(f.kind);
    identity own, damaged;
    for (u32 i = 0; i < shown_races(r); ++i) {
        const auto& race = r.race[i];
        const named what = names.variable_at(race.second.address, race.what);
        const identity it = race_identity(c, names, i);
        if (damaged.empty() && what.library && !told.path_of(it).empty()) damaged = it;
        if (f.kind != failure::data_race || race.signature != f.signature) continue;
        own = it;
        if (!what.nameless) return own;
    }
    if (!damaged.empty() && f.kind == failure::data_race) return damaged;
    if (!damaged.empty() && is_damage(f.kind)) return {kind + " after " + damaged.front()};
    switch (f.kind) {
    case failure::data_race: return own;
    case failure::deadlock:
    case failure::lost_wakeup: {
        std::string text = kind;
        for (const auto& p : waiting_places(f, r, names)) text += " " + p;
        return {text};
    }
    case failure::use_after_free:
    case failure::double_free: // the same pointer too many
        return {"use-after-free " + where(names.place_of(r.other.where))};
    case failure::crash: return {kind + " " + where(names.place_of(r.at.where))};
    default: return {kind + f.message};
    }
}

std::string claim_name(const finding& f) {
    std::vector<std::string> threads;
    return without_numbers(f.told.claim, threads);
}

std::string story_name(const finding& f) {
    std::vector<std::string> threads;
    std::string text = fmt::format(
        "story of {} {} {}", kind_name(f.kind), f.variable, without_numbers(f.told.claim, threads));
    for (const auto& row : f.told.rows)
        text += without_numbers(
            fmt::format("\n{} {} {}", who(row.thread), where(row.place), row.text), threads);
    return text;
}

} // namespace heddle::check
