#include "finding.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace heddle::check {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int finding_version = 1;

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

json report_of(const finding& f) {
    json places = json::array();
    for (const auto& p : f.places)
        places.push_back({{"file", p.file}, {"line", p.line}, {"function", p.function}});
    return {{"kind", kind_name(f.kind)},
            {"variable", f.variable},
            {"message", f.message},
            {"schedule", f.schedule},
            {"threads", f.threads},
            {"switches", f.switches},
            {"places", places},
            {"path", f.path}};
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

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw bad_finding(
            fmt::format("cannot read '{}': is it a folder that heddle wrote?", path.string()));
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

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
    write_file(fs::path(f.path) / "schedule.json", schedule_of(f).dump(1) + "\n");
    write_file(fs::path(f.path) / "report.json", report_of(f).dump(2) + "\n");
    write_file(fs::path(f.path) / "story.txt", f.story);
}

finding load(const std::string& folder) {
    const fs::path path =
        fs::is_directory(folder) ? fs::path(folder) : fs::path(folder).parent_path();
    if (!fs::exists(path / "schedule.json"))
        throw bad_finding(fmt::format(
            "there is no finding in '{}'; give the folder that heddle check named", folder));
    json schedule, report;
    try {
        schedule = json::parse(read_file(path / "schedule.json"));
        report = json::parse(read_file(path / "report.json"));
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
        for (const auto& p : report.at("places"))
            f.places.push_back({p.at("file"), p.at("line"), p.at("function")});
        f.path = path.string();
        f.story = read_file(path / "story.txt");
        return f;
    } catch (const json::exception&) {
        throw bad_finding(
            fmt::format("the finding '{}' lacks parts (truncated?); check again", folder));
    }
}

std::string to_json(const finding& f) {
    return report_of(f).dump();
}

} // namespace heddle::check
