// What went wrong with a variable, told from the order of its reads and writes.
#include "story.hpp"

#include <algorithm>
#include <set>

namespace heddle::check {

std::vector<const event*> recorded_events(const channel& c) {
    std::vector<const event*> events;
    const u64 n = c.result.events;
    for (u64 i = n > max_events ? n - max_events : 0; i < n; ++i)
        events.push_back(&c.events[i % max_events]);
    return events;
}

namespace {

bool is_access(const event& e) {
    return e.kind == op::read || e.kind == op::write || e.kind == op::atomic_load ||
           e.kind == op::atomic_store || e.kind == op::atomic_rmw;
}

bool is_write(const event& e) {
    return e.kind == op::write || e.kind == op::atomic_store ||
           (e.kind == op::atomic_rmw && e.changed);
}

bool touches(const event& e, u64 address) {
    return is_access(e) && e.address <= address && address < e.address + std::max<u64>(e.size, 1);
}

} // namespace

u64 last_shared_read(const std::vector<const event*>& events, u32 thread, u64 until) {
    std::set<u64> written; // what other threads write
    for (const event* e : events)
        if (e->thread != thread && is_write(*e)) written.insert(e->address);
    u64 fallback = 0;
    for (std::size_t i = events.size(); i > 0; --i) {
        const event& e = *events[i - 1];
        const bool reads = is_access(e) && e.kind != op::write && e.kind != op::atomic_store;
        if (e.thread != thread || e.step > until || !reads) continue;
        if (written.count(e.address) != 0) return e.address;
        const bool own = e.what.kind == object::stack && e.what.thread == thread;
        if (fallback == 0 && !own) fallback = e.address;
    }
    return fallback;
}

pattern recognise(const std::vector<step>& steps) {
    // Lost update: A reads, B writes, A writes without having read again. The last one counts.
    for (std::size_t w = steps.size(); w > 0; --w) {
        const std::size_t k = w - 1;
        if (!steps[k].writes || steps[k].kind == op::atomic_rmw) continue;
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
    // Check then act: A reads, B writes, A reads or uses the variable again.
    for (std::size_t k = steps.size(); k > 0; --k) {
        const step& last = steps[k - 1];
        std::size_t other = steps.size();
        for (std::size_t r = k - 1; r > 0; --r) {
            const step& s = steps[r - 1];
            if (s.thread != last.thread && s.writes && other == steps.size()) other = r - 1;
            if (s.thread != last.thread) continue;
            if (s.reads && other != steps.size() && last.reads)
                return {pattern::check_then_act, r - 1, other, k - 1};
            break;
        }
    }
    // Order violation: the first read comes before any other thread's write.
    for (std::size_t r = 0; r < steps.size(); ++r)
        for (std::size_t w = r + 1; steps[r].reads && w < steps.size(); ++w)
            if (steps[w].writes && steps[w].thread != steps[r].thread) {
                const auto earlier = [&](const step& s) { return s.writes; };
                const auto end = steps.begin() + static_cast<std::ptrdiff_t>(r);
                if (std::any_of(steps.begin(), end, earlier)) break;
                return {pattern::order_violation, r, w, w};
            }
    for (std::size_t a = 0; a + 1 < steps.size(); ++a)
        for (std::size_t b = a + 1; b < steps.size(); ++b)
            if (steps[a].thread != steps[b].thread && (steps[a].writes || steps[b].writes))
                return {pattern::unordered, a, a, b};
    return {};
}

u64 focus_of(const channel& c, failure kind, u64 signature) {
    const run_result& r = c.result;
    if (kind == failure::data_race) {
        for (u32 i = 0; i < r.races && i < max_races; ++i)
            if (r.race[i].signature == signature) return r.race[i].second.address;
        return 0;
    }
    if (kind == failure::use_after_free || kind == failure::double_free) return r.at.address;
    const auto events = recorded_events(c);
    const u32 thread = kind == failure::exit_code ? 0 : r.failing_thread;
    return last_shared_read(events, thread, ~u64{0});
}

bool shows_lost_update(const channel& c, u64 address) {
    std::vector<step> steps;
    for (const event* e : recorded_events(c)) {
        if (!touches(*e, address)) continue;
        step s;
        s.thread = e->thread;
        s.kind = e->kind;
        s.writes = is_write(*e);
        s.reads = e->kind != op::write && e->kind != op::atomic_store;
        steps.push_back(s);
    }
    return recognise(steps).kind == pattern::lost_update;
}

} // namespace heddle::check
