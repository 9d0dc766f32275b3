// SARIF 2.1.0 (OASIS, 2020), with the parts that code hosts show: a place, a message, the schedule.
#include "formats.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

namespace heddle::check {

namespace {

using nlohmann::json;

struct rule {
    failure kind;
    const char* name;
    const char* says;
    const char* help;
};

constexpr rule rules[] = {
    {failure::data_race,
     "DataRace",
     "Two threads use a variable, one writes, and nothing orders them.",
     "Hold one mutex at every use of the variable, or make it a std::atomic."},
    {failure::deadlock,
     "Deadlock",
     "Threads wait for each other and none can go on.",
     "Lock in the same order everywhere, or take all locks at once with std::scoped_lock."},
    {failure::lost_wakeup,
     "LostWakeup",
     "A thread sleeps for ever: the wake-up came too early.",
     "Change the condition under the mutex, and wait with a predicate."},
    {failure::use_after_free,
     "UseAfterFree",
     "A thread uses memory that was freed, or a local whose function may have returned.",
     "Let the last user free it, or join the users first."},
    {failure::double_free,
     "DoubleFree",
     "Memory is freed twice.",
     "Let exactly one owner free it: std::unique_ptr or std::shared_ptr."},
    {failure::crash, "Crash", "The program crashes in some schedule.", "See the schedule."},
    {failure::assertion, "Assertion", "An assertion fails in some schedule.", "See the schedule."},
    {failure::uncaught_exception,
     "UncaughtException",
     "An exception leaves a thread in some schedule.",
     "Catch it in the thread, or hand it over in a future."},
    {failure::exit_code,
     "ExitStatus",
     "The exit status depends on the schedule.",
     "See the schedule."},
    {failure::livelock,
     "Livelock",
     "The program does not end in some schedule (suspected).",
     "Look at the loop that waits."},
};

std::string encoded(const std::string& path) {
    std::string out;
    for (const char ch : path) {
        const auto u = static_cast<unsigned char>(ch);
        if (std::isalnum(u) != 0 || std::string_view("/-._~").find(ch) != std::string::npos)
            out += ch;
        else out += fmt::format("%{:02X}", u);
    }
    return out;
}

class writer {
public:
    explicit writer(std::string root) : root_(std::move(root)) {
        if (!root_.empty() && root_.back() != '/') root_ += '/';
    }

    json whole(const summary& s) const {
        json results = json::array();
        for (const auto& f : s.findings) results.push_back(result(f));
        json command = s.program;
        for (const auto& a : s.arguments)
            command = fmt::format("{} {}", command.get<std::string>(), a);
        const json invocation = {
            {"executionSuccessful", true},
            {"commandLine", fmt::format("heddle check -- {}", command.get<std::string>())}};
        return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                {"version", "2.1.0"},
                {"runs",
                 {{{"tool",
                    {{"driver",
                      {{"name", "heddle"},
                       {"semanticVersion", tool_version},
                       {"rules", all_rules()}}}}},
                   {"invocations", {invocation}},
                   {"originalUriBaseIds",
                    {{"SRCROOT", {{"uri", fmt::format("file://{}", encoded(root_))}}}}},
                   {"columnKind", "utf16CodeUnits"},
                   {"results", results}}}}};
    }

private:
    static json all_rules() {
        json list = json::array();
        for (const auto& r : rules)
            list.push_back({{"id", kind_name(r.kind)},
                            {"name", r.name},
                            {"shortDescription", {{"text", r.says}}},
                            {"fullDescription", {{"text", r.says}}},
                            {"help", {{"text", r.help}}},
                            {"defaultConfiguration", {{"level", "error"}}},
                            {"properties",
                             {{"tags", {"concurrency", "correctness"}},
                              {"precision", "very-high"},
                              {"problem.severity", "error"}}}});
        return list;
    }

    json physical(const source_place& p) const {
        json artifact;
        if (p.file.rfind(root_, 0) == 0 && root_.size() > 1)
            artifact = {{"uri", encoded(p.file.substr(root_.size()))}, {"uriBaseId", "SRCROOT"}};
        else artifact = {{"uri", fmt::format("file://{}", encoded(p.file))}};
        return {{"artifactLocation", artifact}, {"region", {{"startLine", std::max(p.line, 1)}}}};
    }

    json location(const source_place& p, const std::string& text) const {
        json l = {{"physicalLocation", physical(p)}};
        if (!text.empty()) l["message"] = {{"text", text}};
        return l;
    }

    /// One flow a thread; executionOrder says how they interleave.
    json flows(const finding& f) const {
        json threads = json::array();
        for (const auto& c : f.told.columns) {
            json steps = json::array();
            for (const auto& r : f.told.rows) {
                if (r.thread != c.thread || r.place.line == 0 || r.number == 0) continue;
                const std::string value =
                    r.value.empty() ? "" : fmt::format(" ({} is {})", f.told.variables, r.value);
                steps.push_back(
                    {{"location",
                      location(r.place, fmt::format("{}: {}{}", who(r.thread), r.text, value))},
                     {"executionOrder", r.number},
                     {"importance", "essential"}});
            }
            if (!steps.empty()) threads.push_back({{"id", who(c.thread)}, {"locations", steps}});
        }
        return threads.empty() ? json::array() : json::array({{{"threadFlows", threads}}});
    }

    json result(const finding& f) const {
        std::size_t index = 0;
        while (index + 1 < std::size(rules) && rules[index].kind != f.kind) ++index;
        std::string text = f.told.claim + ".";
        for (const auto& n : f.told.notes) text += fmt::format("\n{}: {}", n.label, n.text);
        json locations = json::array(), related = json::array();
        std::string key = kind_name(f.kind);
        for (const auto& p : f.places) {
            if (locations.empty()) locations.push_back(location(p, ""));
            else related.push_back(location(p, p.function.empty() ? where(p) : p.function));
            key += fmt::format("|{}|{}", file_name(p.file), p.function);
        }
        json r = {
            {"ruleId", kind_name(f.kind)},
            {"ruleIndex", index},
            {"level", "error"},
            {"message", {{"text", text}}},
            {"locations", locations},
            {"partialFingerprints", {{"heddleBug/v1", fmt::format("{}|{}", key, f.variable)}}},
            {"properties", {{"finding", f.path}, {"schedule", f.schedule}, {"seed", f.seed}}}};
        for (std::size_t i = 0; i < related.size(); ++i) related[i]["id"] = i + 1;
        if (!related.empty()) r["relatedLocations"] = related;
        if (const json threads = flows(f); !threads.empty()) r["codeFlows"] = threads;
        return r;
    }

    std::string root_;
};

} // namespace

std::string to_sarif(const summary& s, const std::string& root) {
    return writer(root).whole(s).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace heddle::check
