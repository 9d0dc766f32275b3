#include "formats.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace heddle::check {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int finding_version = 1;
constexpr const char* input_name = "input"; // a copy of what was its standard input

void write_file(const fs::path& path, const std::string& text) {
    std::ofstream out(path);
    out << text;
    if (!out.flush()) throw std::runtime_error(fmt::format("cannot write '{}'", path.string()));
}

/// Several tools may run in one folder: the one that makes the directory has it.
fs::path new_folder(const fs::path& parent) {
    fs::create_directories(parent);
    for (int n = 1; n < 100000; ++n) {
        const fs::path folder = parent / fmt::format("{:04}", n);
        if (fs::create_directory(folder)) return folder;
    }
    throw std::runtime_error(fmt::format("'{}' is full of findings; remove some", parent.string()));
}

json place_to_json(const source_place& p) {
    return {{"file", p.file}, {"line", p.line}, {"function", p.function}};
}

source_place place_from_json(const json& j) {
    return {j.at("file"), j.at("line"), j.at("function"), ""};
}

json story_of(const finding& f) {
    const story& s = f.told;
    json columns = json::array(), rows = json::array(), sources = json::array();
    json notes = json::array();
    for (const auto& c : s.columns) columns.push_back({{"thread", c.thread}, {"name", c.name}});
    for (const auto& r : s.rows)
        rows.push_back({{"step", r.step},
                        {"number", r.number},
                        {"thread", r.thread},
                        {"text", r.text},
                        {"value", r.value},
                        {"expected", r.expected},
                        {"place", place_to_json(r.place)}});
    for (const auto& x : s.sources)
        sources.push_back({{"place", place_to_json(x.place)}, {"text", x.text}});
    for (const auto& n : s.notes) notes.push_back({{"label", n.label}, {"text", n.text}});
    return {{"claim", s.claim},
            {"facts", s.facts},
            {"columns", columns},
            {"variables", s.variables},
            {"rows", rows},
            {"sources", sources},
            {"notes", notes}};
}

story read_story(const json& j) {
    story s;
    s.claim = j.at("claim");
    s.facts = j.at("facts");
    s.variables = j.at("variables");
    for (const auto& c : j.at("columns")) s.columns.push_back({c.at("thread"), c.at("name")});
    for (const auto& r : j.at("rows"))
        s.rows.push_back({r.at("step"),
                          r.at("number"),
                          r.at("thread"),
                          r.at("text"),
                          r.at("value"),
                          r.at("expected"),
                          place_from_json(r.at("place"))});
    for (const auto& x : j.at("sources"))
        s.sources.push_back({place_from_json(x.at("place")), x.at("text")});
    for (const auto& n : j.at("notes")) s.notes.push_back({n.at("label"), n.at("text")});
    return s;
}

failure kind_of(const std::string& name) {
    for (u32 k = 0; k <= static_cast<u32>(failure::livelock); ++k)
        if (name == kind_name(static_cast<failure>(k))) return static_cast<failure>(k);
    throw bad_finding(fmt::format("unknown kind of finding '{}'", name));
}

json schedule_of(const finding& f) {
    json choices = json::array();
    for (const auto& c : f.choices)
        choices.push_back({c.step, c.kind == choice::thread ? "thread" : "waiter", c.value});
    return {{"heddle-finding", finding_version},
            {"program", f.program},
            {"arguments", f.arguments},
            {"build-id", f.build_id},
            {"digest", f.digest},
            {"seed", f.seed},
            {"schedule", f.schedule},
            {"strategy", f.strategy},
            {"kind", kind_name(f.kind)},
            {"signature", f.signature},
            {"step-limit", f.step_limit},
            {"expected-exit", f.expected_exit},
            {"wall-clock", f.wall_base_ns},
            {"steady-clock", f.steady_base_ns},
            {"choices", choices},
            {"checkpoints", f.checkpoints},
            {"first-step", f.first_step}};
}

finding read_schedule(const json& j) {
    finding f;
    f.program = j.at("program");
    f.arguments = j.at("arguments").get<std::vector<std::string>>();
    f.build_id = j.at("build-id");
    f.digest = j.at("digest");
    f.seed = j.at("seed");
    f.schedule = j.at("schedule");
    f.strategy = j.at("strategy");
    f.kind = kind_of(j.at("kind"));
    f.signature = j.at("signature");
    f.step_limit = j.at("step-limit");
    f.expected_exit = j.at("expected-exit");
    f.wall_base_ns = j.at("wall-clock");
    f.steady_base_ns = j.at("steady-clock");
    f.first_step = j.at("first-step");
    u64 before = 0;
    for (const auto& c : j.at("choices")) {
        const std::string kind = c.at(1);
        if (kind != "thread" && kind != "waiter") throw bad_finding("unknown kind of choice");
        f.choices.push_back({c.at(0), kind == "thread" ? choice::thread : choice::waiter, c.at(2)});
        if (f.choices.back().step < before || f.choices.back().value >= max_threads)
            throw bad_finding("the choices are not in order");
        before = f.choices.back().step;
    }
    f.checkpoints = j.at("checkpoints").get<std::vector<u32>>();
    if (f.choices.size() > max_choices || f.checkpoints.size() > max_checkpoints)
        throw bad_finding("there are too many choices");
    return f;
}

/// What only some findings have.
void read_extras(const json& report, finding& f) {
    if (report.contains("effect")) {
        const json& e = report["effect"];
        f.effect = {e.at("replays"), e.at("changes_result"), e.at("text")};
    }
    f.fewer_tried = report.value("fewer_tried", u64{0});
    f.cause = report.value("cause", "");
    f.follows = report.value("follows", false);
}

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw bad_finding(
            fmt::format("cannot read '{}': is it a folder that heddle wrote?", path.string()));
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

std::string bugs_found(const std::vector<finding>& all) {
    std::size_t following = 0;
    for (const finding& f : all) following += f.follows;
    const std::size_t bugs = all.size() - following;
    std::string text = fmt::format("{} found", count(bugs, "distinct bug"));
    if (following > 0)
        text += fmt::format("; {} {} from {}",
                            count(following, "failure"),
                            following == 1 ? "follows" : "follow",
                            bugs == 1 ? "it" : "them");
    return text;
}

const char* kind_name(failure kind) {
    switch (kind) {
    case failure::none: return "none";
    case failure::data_race: return "data-race";
    case failure::deadlock: return "deadlock";
    case failure::lost_wakeup: return "lost-wakeup";
    case failure::use_after_free: return "use-after-free";
    case failure::double_free: return "double-free";
    case failure::crash: return "crash";
    case failure::assertion: return "assert";
    case failure::uncaught_exception: return "uncaught-exception";
    case failure::exit_code: return "exit-code";
    case failure::livelock: return "livelock";
    case failure::diverged: return "diverged";
    case failure::hung: return "hung";
    case failure::endless: return "endless";
    }
    return "unknown";
}

void save(finding& f, const std::string& parent) {
    if (f.path.empty()) f.path = new_folder(parent).string();
    const fs::path folder = f.path;
    if (const fs::path kept = folder / input_name; !f.input.empty() && f.input != kept) {
        fs::copy_file(f.input, kept, fs::copy_options::overwrite_existing);
        f.input = kept.string();
    }
    write_file(folder / "schedule.json", schedule_of(f).dump(1) + "\n");
    write_file(folder / "report.json", to_json(f));
    write_file(folder / "story.json", story_of(f).dump(1) + "\n");
    write_file(folder / "story.txt", to_text(f, paper{}));
}

finding load(const std::string& folder) {
    const fs::path path =
        fs::is_directory(folder) ? fs::path(folder) : fs::path(folder).parent_path();
    if (!fs::exists(path / "schedule.json"))
        throw bad_finding(fmt::format(
            "there is no finding in '{}'; give the folder that heddle check named", folder));
    json schedule, report, told;
    try {
        schedule = json::parse(read_file(path / "schedule.json"));
        report = json::parse(read_file(path / "report.json"));
        told = json::parse(read_file(path / "story.json"));
    } catch (const json::exception&) {
        throw bad_finding(
            fmt::format("the finding '{}' is damaged (truncated?); check again", folder));
    }
    try {
        if (!schedule.is_object() || !schedule.contains("heddle-finding"))
            throw bad_finding(fmt::format("'{}' is not a finding of heddle", folder));
        const int version = schedule["heddle-finding"];
        if (version != finding_version)
            throw bad_finding(fmt::format("the finding '{}' has version {}, this heddle reads {}; "
                                          "check again",
                                          folder,
                                          version,
                                          finding_version));
        finding f = read_schedule(schedule);
        f.variable = report.at("variable");
        f.message = report.at("message");
        f.threads = report.at("threads");
        f.switches = report.at("switches");
        for (const auto& p : report.at("places")) f.places.push_back(place_from_json(p));
        f.path = path.string();
        if (fs::exists(path / input_name)) f.input = (path / input_name).string();
        f.told = read_story(told);
        read_extras(report, f);
        return f;
    } catch (const json::exception&) {
        throw bad_finding(
            fmt::format("the finding '{}' lacks parts (truncated?); check again", folder));
    }
}

} // namespace heddle::check
