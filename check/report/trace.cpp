// The recorded run in Chrome's trace format.
#include "formats.hpp"
#include "story.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace heddle::check {

namespace {

using nlohmann::json;

constexpr std::size_t max_trace_events = 5000;

const char* word_for(op kind) {
    switch (kind) {
    case op::read: return "read";
    case op::write: return "write";
    case op::atomic_load: return "atomic load";
    case op::atomic_store: return "atomic store";
    case op::atomic_rmw: return "atomic change";
    case op::fence: return "fence";
    case op::lock: return "lock";
    case op::try_lock: return "try lock fails";
    case op::unlock: return "unlock";
    case op::read_lock: return "lock shared";
    case op::cond_wait: return "wait";
    case op::cond_woken: return "woken";
    case op::notify_one: return "notify one";
    case op::notify_all: return "notify all";
    case op::sem_wait: return "semaphore wait";
    case op::sem_post: return "semaphore post";
    case op::barrier_wait: return "barrier";
    case op::futex_wait: return "futex wait";
    case op::futex_wake: return "futex wake";
    case op::signal_wait: return "wait for a signal";
    case op::signal_send: return "send a signal";
    case op::create: return "create thread";
    case op::start: return "thread starts";
    case op::join: return "join";
    case op::thread_end: return "thread ends";
    case op::sleep: return "sleep";
    case op::main_end: return "main ends";
    case op::exit: return "exit";
    case op::free: return "free";
    case op::poll: return "poll";
    case op::input: return "input";
    case op::output: return "output";
    case op::fail: return "FAILS HERE";
    default: return "step";
    }
}

} // namespace

std::string to_trace(const channel& c, const symbols& names) {
    json list = json::array();
    std::set<u32> threads;
    std::map<u64, std::string> places; // by code address: the same few come again and again
    const auto events = recorded_events(c);
    const std::size_t from =
        events.size() > max_trace_events ? events.size() - max_trace_events : 0;
    for (std::size_t i = from; i < events.size(); ++i) {
        const event& e = *events[i];
        threads.insert(e.thread);
        const auto [at, fresh] = places.try_emplace(e.where.pc[0]);
        if (fresh) {
            const source_place p = names.place_of(e.where);
            at->second = fmt::format("{}:{}", p.file, p.line);
        }
        json arguments = {{"place", at->second}, {"step", e.step}};
        if (e.kind == op::poll || e.kind == op::input || e.kind == op::output)
            arguments["descriptor"] = e.aux;
        else if (e.address != 0) arguments["variable"] = names.variable_at(e.address, e.what).name;
        if (e.size > 0 && e.size <= 8) arguments["value"] = e.after;
        list.push_back({{"name", word_for(e.kind)},
                        {"ph", "X"},
                        {"ts", i - from},
                        {"dur", 1},
                        {"pid", 1},
                        {"tid", e.thread},
                        {"args", arguments}});
    }
    for (const u32 t : threads)
        list.push_back({{"name", "thread_name"},
                        {"ph", "M"},
                        {"pid", 1},
                        {"tid", t},
                        {"args", {{"name", who(t)}}}});
    return json{{"traceEvents", list}, {"displayTimeUnit", "ns"}}.dump() + "\n";
}

} // namespace heddle::check
