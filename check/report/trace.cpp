#include "trace.hpp"

#include "story.hpp"

#include <fmt/format.h>

#include <fstream>
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
    case op::create: return "create thread";
    case op::start: return "thread starts";
    case op::join: return "join";
    case op::thread_end: return "thread ends";
    case op::sleep: return "sleep";
    case op::main_end: return "main ends";
    case op::exit: return "exit";
    case op::free: return "free";
    case op::fail: return "FAILS HERE";
    default: return "step";
    }
}

std::string escape(const std::string& text) {
    std::string out;
    for (const char ch : text) {
        if (ch == '<') out += "&lt;";
        else if (ch == '>') out += "&gt;";
        else if (ch == '&') out += "&amp;";
        else out += ch;
    }
    return out;
}

} // namespace

void save_trace(const finding& f, const channel& c, const symbols& names) {
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
        if (e.address != 0) arguments["variable"] = names.name_of(e.address, e.size, e.what);
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
                        {"args", {{"name", t == 0 ? "main" : fmt::format("thread {}", t)}}}});
    std::ofstream(f.path + "/trace.json") << json{{"traceEvents", list}}.dump() << "\n";
}

std::string to_html(const std::vector<finding>& findings, const std::string& title) {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + escape(title) +
        "</title><style>body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
        "pre{background:#f6f6f4;padding:1em;overflow-x:auto;font-size:14px}"
        "h2{margin-top:2em}</style></head><body>\n<h1>" +
        escape(title) + "</h1>\n";
    if (findings.empty()) out += "<p>Nothing was found.</p>\n";
    for (const auto& f : findings)
        out += fmt::format("<h2>{}</h2>\n<p>{}</p>\n<pre>{}</pre>\n",
                           kind_name(f.kind),
                           escape(f.message),
                           escape(story_with_replay(f)));
    return out + "</body></html>\n";
}

} // namespace heddle::check
