#pragma once
// How a story is put together; known to story.cpp and story_waits.cpp only.

#include "story.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::check {

inline constexpr std::size_t max_rows = 11;

/// Everything that is needed while one story is told.
struct teller {
    finding& f;
    const channel& c;
    const symbols& names;
    std::vector<const event*> events = recorded_events(c);
    std::vector<step> steps;
    std::string why, advice, title;
    bool one_variable = true;

    source_place place(const frames& w) const { return names.place_of(w); }

    void remember(const source_place& p) {
        if (p.file.empty() || p.line == 0) return;
        for (const auto& known : f.places)
            if (known.file == p.file && known.line == p.line) return;
        if (f.places.size() < 6) f.places.push_back(p);
    }

    void add_access(const event& e) {
        step s;
        s.number = e.step;
        s.thread = e.thread;
        s.kind = e.kind;
        s.before = e.before;
        s.after = e.after;
        s.place = place(e.where);
        const std::string old = show(e.before, e.size), fresh = show(e.after, e.size);
        s.writes = e.kind == op::write || e.kind == op::atomic_store ||
                   (e.kind == op::atomic_rmw && e.changed != 0);
        s.reads = e.kind != op::write && e.kind != op::atomic_store;
        const bool known = e.size != 0 && e.size <= 8;
        switch (e.kind) {
        case op::write: s.text = known ? "writes " + fresh : "writes"; break;
        case op::read: s.text = known ? "reads -> " + old : "reads"; break;
        case op::atomic_load: s.text = "atomic load -> " + old; break;
        case op::atomic_store: s.text = "atomic store " + fresh; break;
        default:
            s.text = s.writes ? fmt::format("atomically {} -> {}", old, fresh)
                              : fmt::format("exchange fails, finds {}", old);
        }
        if (known) s.value = s.writes ? fresh : old;
        if (e.kind == op::write && known) show_as_sum(s, e.size);
        if (!steps.empty() && steps.back().thread == s.thread && steps.back().text == s.text &&
            steps.back().place.line == s.place.line && s.reads && !s.writes) {
            ++steps.back().repeated; // a spin loop is one line
            return;
        }
        steps.push_back(s);
    }

    /// A value written after an own read is told as what was added: "writes 0+1".
    void show_as_sum(step& s, u32 size) const {
        for (std::size_t i = steps.size(); i > 0; --i) {
            const step& r = steps[i - 1];
            if (r.thread != s.thread) continue;
            const u64 mask = size == 8 ? ~u64{0} : (u64{1} << (size * 8)) - 1;
            const u64 plus = (s.after - r.before) & mask, minus = (r.before - s.after) & mask;
            if (!r.reads || r.writes || s.after == r.before) return;
            if (plus < 1000) s.text = fmt::format("writes {}+{}", r.value, plus);
            else if (minus < 1000) s.text = fmt::format("writes {}-{}", r.value, minus);
            else return;
            const u64 current = i == steps.size()     ? r.before
                                : steps.back().writes ? steps.back().after
                                                      : steps.back().before;
            if (current != r.before) s.expected = show((current + s.after - r.before) & mask, size);
            return;
        }
    }

    void add_line(const event& e, std::string text) {
        step s;
        s.number = e.step;
        s.thread = e.thread;
        s.kind = e.kind;
        s.text = std::move(text);
        s.place = place(e.where);
        steps.push_back(s);
    }

    static bool is_access(op k) {
        return k == op::read || k == op::write || k == op::atomic_load || k == op::atomic_store ||
               k == op::atomic_rmw;
    }

    /// All accesses to the variable at `address`, up to step `until`.
    void collect(u64 address, u64 until) {
        for (const event* e : events) {
            if (!is_access(e->kind) || e->step > until) continue;
            const u64 size = std::max<u64>(e->size, 1);
            if (e->address <= address && address < e->address + size) add_access(*e);
        }
    }

    /// Keeps the rows around those that matter.
    void crop(std::size_t first, std::size_t last) {
        std::size_t from = first > 1 ? first - 1 : 0;
        std::size_t to = std::min(steps.size(), last + 4);
        if (steps.size() <= max_rows) {
            from = 0;
            to = steps.size();
        }
        if (to - from > max_rows) {
            // Too many between: keep both ends.
            std::vector<step> kept(steps.begin() + static_cast<std::ptrdiff_t>(from),
                                   steps.begin() +
                                       static_cast<std::ptrdiff_t>(from + max_rows / 2));
            step gap;
            gap.text = fmt::format("... {} more steps", to - from - max_rows + 1);
            gap.thread = steps[from].thread;
            kept.push_back(gap);
            kept.insert(kept.end(),
                        steps.begin() + static_cast<std::ptrdiff_t>(to - max_rows / 2),
                        steps.begin() + static_cast<std::ptrdiff_t>(to));
            steps = std::move(kept);
            return;
        }
        steps = {steps.begin() + static_cast<std::ptrdiff_t>(from),
                 steps.begin() + static_cast<std::ptrdiff_t>(to)};
    }

    std::string explain_pattern(const pattern& p);
    void tell_variable(u64 address, const object& what);
    void tell_race();
    void tell_failure();
    void tell_free();
    std::string what_it_wants(const blocked_thread& b);
    void tell_blocked();
    void tell_wakeup(const blocked_thread& b);
    std::string lock_name(u64 address, const object& o) const {
        const std::string name = names.name_of(address, 0, o);
        const bool internal = name.rfind("__", 0) == 0 || name.find("(of _") != std::string::npos;
        return internal ? "an internal of the C++ library" : name;
    }
    std::string render() const;
    std::string started_at(u32 thread) const;
    std::string sources() const;
};

} // namespace heddle::check
