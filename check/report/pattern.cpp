// What went wrong with a variable, told from the order of its reads and writes.
#include "pattern.hpp"

#include <algorithm>

namespace heddle::check {

namespace {

constexpr u32 many_reads = 20; // in a row: a loop that waits

/// A reads, B writes, A writes without having read again. The last one counts. What the library
/// does inside of its objects is no update made of an old value.
pattern lost_update(const std::vector<step>& steps) {
    for (std::size_t w = steps.size(); w > 0; --w) {
        const std::size_t k = w - 1;
        if (!steps[k].writes || steps[k].kind == op::atomic_rmw || steps[k].inside) continue;
        bool foreign = false;
        std::size_t other = 0;
        for (std::size_t r = k; r > 0; --r) {
            const step& s = steps[r - 1];
            if (s.thread != steps[k].thread && s.writes && !foreign) {
                foreign = true;
                other = r - 1;
            }
            if (s.thread != steps[k].thread) continue;
            if (s.reads && !s.writes && foreign) return {pattern::lost_update, r - 1, other, k};
            break; // its own last access is no read, or nobody came between
        }
    }
    return {};
}

/// A reads, B writes, A reads or uses the variable again.
pattern check_then_act(const std::vector<step>& steps) {
    for (std::size_t k = steps.size(); k > 0; --k) {
        const step& last = steps[k - 1];
        std::size_t other = steps.size();
        for (std::size_t r = k - 1; r > 0; --r) {
            const step& s = steps[r - 1];
            if (s.thread != last.thread && s.writes && other == steps.size()) other = r - 1;
            if (s.thread != last.thread) continue;
            if (s.reads && other != steps.size() && last.reads) {
                const bool loops = s.repeated >= many_reads && !s.writes && !last.writes;
                return {loops ? pattern::polling : pattern::check_then_act, r - 1, other, k - 1};
            }
            break;
        }
    }
    return {};
}

/// The first read comes before any other thread's write.
pattern order_violation(const std::vector<step>& steps) {
    for (std::size_t r = 0; r < steps.size(); ++r)
        for (std::size_t w = r + 1; steps[r].reads && w < steps.size(); ++w)
            if (steps[w].writes && steps[w].thread != steps[r].thread) {
                const auto earlier = [&](const step& s) {
                    // What main prepared is no surprise, unless it is something.
                    return s.writes && (s.thread != 0 || s.after != 0);
                };
                const auto end = steps.begin() + static_cast<std::ptrdiff_t>(r);
                if (std::any_of(steps.begin(), end, earlier)) break;
                const auto own = [&](const step& s) {
                    return s.writes && s.thread == steps[r].thread;
                };
                if (std::any_of(steps.begin(), steps.end(), own)) break; // it sets it itself
                return {pattern::order_violation, r, w, w};
            }
    return {};
}

} // namespace

bool is_access(op k) {
    return k == op::read || k == op::write || k == op::atomic_load || k == op::atomic_store ||
           k == op::atomic_rmw;
}

bool is_write(const event& e) {
    return e.kind == op::write || e.kind == op::atomic_store ||
           (e.kind == op::atomic_rmw && e.changed != 0);
}

bool is_read(const event& e) {
    return is_access(e.kind) && e.kind != op::write && e.kind != op::atomic_store;
}

bool done_by_library(const event& e) {
    return (e.kind == op::read || e.kind == op::write) && e.aux != 0;
}

bool touches(const event& e, u64 address) {
    return is_access(e.kind) && e.address <= address &&
           address < e.address + std::max<u64>(e.size, 1);
}

pattern recognise(const std::vector<step>& steps) {
    for (const auto look : {lost_update, check_then_act, order_violation})
        if (const pattern p = look(steps); p.kind != pattern::none) return p;
    return last_meeting(steps);
}

pattern last_meeting(const std::vector<step>& steps) {
    for (std::size_t b = steps.size(); b > 0; --b)
        for (std::size_t a = b - 1; a > 0; --a) {
            const step &one = steps[a - 1], &two = steps[b - 1];
            if (one.thread != two.thread && (one.writes || two.writes))
                return {pattern::unordered, a - 1, a - 1, b - 1};
        }
    return {};
}

std::vector<const event*> recorded_events(const channel& c) {
    std::vector<const event*> events;
    const u64 n = c.result.events;
    for (u64 i = n > max_events ? n - max_events : 0; i < n; ++i)
        events.push_back(&c.events[i % max_events]);
    return events;
}

access first_access(const channel& c, u32 race) {
    const auto& r = c.result.race[race];
    access found = r.first;
    for (const event* e : recorded_events(c)) {
        if (e->step > r.second.step) break;
        if (e->thread != r.first.thread || e->where.pc[0] != r.first.where.pc[0] ||
            !touches(*e, r.second.address))
            continue;
        found.where = e->where;
        found.step = e->step;
    }
    return found;
}

u64 racy_address(const channel& c, u64 signature) {
    const run_result& r = c.result;
    for (u32 i = 0; i < r.races && i < max_races; ++i)
        if (r.race[i].signature == signature) return r.race[i].second.address;
    return 0;
}

bool shows_lost_update(const channel& c, u64 address) {
    std::vector<step> steps;
    for (const event* e : recorded_events(c)) {
        if (!touches(*e, address)) continue;
        step s;
        s.thread = e->thread;
        s.kind = e->kind;
        s.writes = is_write(*e);
        s.reads = is_read(*e);
        steps.push_back(s);
    }
    return recognise(steps).kind == pattern::lost_update;
}

} // namespace heddle::check
