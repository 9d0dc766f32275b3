// Findings as JSON: the report of API.md.
#include "formats.hpp"

#include <nlohmann/json.hpp>

namespace heddle::check {

namespace {

using nlohmann::json;

json entry(const finding& f) {
    json places = json::array();
    for (const auto& p : f.places)
        places.push_back({{"file", p.file}, {"line", p.line}, {"function", p.function}});
    json j = {{"kind", kind_name(f.kind)},
              {"variable", f.variable},
              {"message", f.message},
              {"schedule", f.schedule},
              {"threads", f.threads},
              {"switches", f.switches},
              {"places", places},
              {"path", f.path}};
    if (!f.effect.text.empty())
        j["effect"] = {{"replays", f.effect.replays},
                       {"changes_result", f.effect.changes_result},
                       {"text", f.effect.text}};
    if (f.fewer_tried > 0) j["fewer_tried"] = f.fewer_tried;
    if (!f.cause.empty()) j["cause"] = f.cause;
    if (f.follows) j["follows"] = true;
    return j;
}

// Names of files and messages of exceptions need not be UTF-8, and JSON must be.
std::string dump(const json& j) {
    return j.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace

std::string to_json(const finding& f) {
    return dump(entry(f));
}

std::string to_json(const summary& s) {
    json findings = json::array();
    for (const auto& f : s.findings) findings.push_back(entry(f));
    return dump({{"version", 1},
                 {"program", s.program},
                 {"arguments", s.arguments},
                 {"seed", s.seed},
                 {"schedules", s.schedules},
                 {"seconds", s.seconds},
                 {"engine", "threads-fork"},
                 {"limits", s.limits},
                 {"findings", findings}});
}

} // namespace heddle::check
