// The rows of a story's table: accesses and their values, the few that are kept, how they are
// shown.
#include "teller.hpp"

#include <set>

namespace heddle::check {

namespace {

u64 mask_of(u32 size) {
    return size >= 8 ? ~u64{0} : (u64{1} << (size * 8)) - 1;
}

std::string access_text(const step& s, const std::string& old, const std::string& fresh) {
    switch (s.kind) {
    case op::write:
    case op::atomic_store: return "writes " + fresh;
    case op::read:
    case op::atomic_load: return "reads " + old;
    default: break;
    }
    return s.writes ? fmt::format("changes {} to {}", old, fresh)
                    : fmt::format("finds {}, changes nothing", old);
}

/// A value written after an own read is told as what was added: "writes 0+1".
void show_as_sum(const std::vector<step>& steps, step& s, u32 size, value_kind kind) {
    const bool number =
        kind == value_kind::integer || kind == value_kind::natural || kind == value_kind::unknown;
    for (std::size_t i = steps.size(); i > 0 && number; --i) {
        const step& r = steps[i - 1];
        if (r.thread != s.thread || r.variable != s.variable) continue;
        const u64 plus = (s.after - r.before) & mask_of(size);
        const u64 minus = (r.before - s.after) & mask_of(size);
        if (!r.reads || r.writes || s.after == r.before) return;
        const std::string old = show(r.before, size, kind);
        if (plus < 1000) s.text = fmt::format("writes {}+{}", old, plus);
        else if (minus < 1000) s.text = fmt::format("writes {}-{}", old, minus);
        else return;
        const step& last = steps.back();
        const u64 current = last.writes ? last.after : last.before;
        if (current != r.before)
            s.expected = show((current + s.after - r.before) & mask_of(size), size, kind);
        return;
    }
}

bool same_again(const step& a, const step& b) {
    return a.thread == b.thread && a.place.line == b.place.line && a.place.file == b.place.file &&
           a.variable == b.variable;
}

} // namespace

bool inside_library(const told_variable& v, const event& e) {
    return v.what.library && (e.kind == op::read || e.kind == op::write);
}

/// What a function of the library does in one go is one row.
void teller::add_library_access(step s, const std::string& call) {
    s.call = call;
    s.inside = true;
    if (!steps.empty() && !steps.back().call.empty() && same_again(steps.back(), s)) {
        if (s.writes && !steps.back().writes) steps.back().call = call; // it is the one that counts
        steps.back().reads |= s.reads;
        steps.back().writes |= s.writes;
    } else {
        steps.push_back(s);
    }
    step& row = steps.back();
    row.text =
        (row.call.empty() ? "" : row.call + "(): ") + (row.reads && row.writes ? "reads, writes"
                                                       : row.writes            ? "writes"
                                                                               : "reads");
}

void teller::add_access(const event& e, u32 variable) {
    told_variable& v = variables[variable];
    step s;
    s.number = e.step;
    s.thread = e.thread;
    s.kind = e.kind;
    s.variable = variable;
    s.pc = e.where.pc[0];
    s.address = e.address;
    s.before = e.before;
    s.after = e.after;
    s.writes = is_write(e);
    s.reads = is_read(e);
    s.place = place(e.where);
    if (inside_library(v, e)) {
        std::string call = names.library_call(e.where);
        if (call.empty() && done_by_library(e)) call = names.function_at(e.aux);
        return add_library_access(s, call);
    }
    const u32 size = e.size;
    const bool shown = size != 0 && size <= 8;
    const std::string old = shown ? show(e.before, size, v.what.kind) : "";
    const std::string fresh = shown ? show(e.after, size, v.what.kind) : "";
    s.text = access_text(s, old, fresh);
    while (s.text.back() == ' ') s.text.pop_back();
    if (shown) v.value = s.writes ? fresh : old;
    if (e.kind == op::write && shown) show_as_sum(steps, s, size, v.what.kind);
    if (variables.size() > 1) {
        const auto gap = std::min(s.text.find(' '), s.text.size());
        s.text.insert(gap, fmt::format(" {}", v.what.name.substr(0, v.what.name.find(" (heap"))));
        for (const auto& each : variables) s.value += (s.value.empty() ? "" : ", ") + each.value;
    } else {
        s.value = v.value;
    }
    if (!steps.empty() && same_again(steps.back(), s) && steps.back().text == s.text && s.reads &&
        !s.writes)
        ++steps.back().repeated; // a spin loop is one line
    else steps.push_back(s);
}

void teller::add_line(const event& e, std::string text) {
    step s;
    s.number = e.step;
    s.thread = e.thread;
    s.kind = e.kind;
    s.text = std::move(text);
    s.place = place(e.where);
    steps.push_back(s);
}

/// The step where it ends; the variables keep their values.
void teller::add_end(u32 thread, const std::string& text, const source_place& at) {
    step s;
    if (!steps.empty()) s.value = steps.back().value;
    if (!steps.empty()) s.number = steps.back().number;
    s.thread = thread;
    s.text = text;
    s.place = at;
    steps.push_back(s);
}

/// All accesses of the program's own lines to these variables, in order.
void teller::collect(const std::vector<u64>& addresses) {
    variables.clear();
    steps.clear();
    for (const u64 a : addresses) variables.push_back({a, variable_at(a), ""});
    std::map<u64, std::string> called; // names of the insides of library objects, by address
    const auto concerns = [&](const event& e, const told_variable& v) {
        if (touches(e, v.address)) return true;
        if (!v.what.library || v.what.nameless) return false;
        const auto [at, fresh] = called.try_emplace(e.address);
        if (fresh) at->second = names.variable_at(e.address, e.what).name;
        return at->second == v.what.name;
    };
    for (auto& v : variables) // each begins with what was there before
        for (const event* e : events)
            if (touches(*e, v.address) && e->size != 0 && e->size <= 8 && v.value.empty())
                v.value = show(e->before, e->size, v.what.kind);
    for (const event* e : events) {
        if (!is_access(e->kind)) continue;
        for (u32 v = 0; v < variables.size(); ++v)
            if (concerns(*e, variables[v]) && names.in_program(e->where)) {
                add_access(*e, v);
                break;
            }
    }
}

/// Keeps the steps of the pattern, what stands between them and how main sees the end; in the
/// middle only as much as there is room for. Returns the pattern with its new indices.
pattern teller::crop(pattern p) {
    if (steps.empty() || p.kind == pattern::none) return p;
    std::size_t end = p.last + 1;
    // The wrong value that main reads in the end belongs to it.
    if (end < steps.size() && steps.back().thread == 0 && steps.back().reads) end = steps.size();
    std::vector<bool> keep(steps.size(), false);
    const auto hold = [&](std::size_t i) { keep[i] = true; };
    hold(p.first);
    hold(p.other);
    hold(p.last);
    if (end > p.last + 1) hold(end - 1);
    std::size_t kept = 3;
    for (std::size_t i = p.first; i <= p.last && kept < max_rows - 3; ++i, ++kept) hold(i);
    for (std::size_t i = p.first + 1; i + 1 < end; ++i) // a gap takes as much room as one step
        if (!keep[i] && keep[i - 1] && keep[i + 1]) hold(i);
    std::vector<step> short_list;
    pattern moved = p;
    std::size_t left_out = 0;
    const auto close_gap = [&] {
        if (left_out == 0) return;
        step gap;
        gap.gap = true;
        gap.thread = steps[p.first].thread;
        gap.text = fmt::format("... {} more {}", left_out, left_out == 1 ? "step" : "steps");
        short_list.push_back(gap);
        left_out = 0;
    };
    for (std::size_t i = p.first; i < end; ++i) {
        if (!keep[i]) {
            ++left_out;
            continue;
        }
        close_gap();
        if (i == p.first) moved.first = short_list.size();
        if (i == p.other) moved.other = short_list.size();
        if (i == p.last) moved.last = short_list.size();
        short_list.push_back(steps[i]);
    }
    steps = std::move(short_list);
    return moved;
}

void teller::keep_last(std::size_t rows) {
    if (steps.size() > rows)
        steps.erase(steps.begin(), steps.end() - static_cast<std::ptrdiff_t>(rows));
}

/// "step 3" as the table will number it.
std::string teller::row_of(std::size_t index) const {
    std::size_t number = 0;
    for (std::size_t i = 0; i <= index && i < steps.size(); ++i) number += steps[i].gap ? 0 : 1;
    return fmt::format("step {}", number);
}

namespace {

/// The word behind `before`: "alice" of "std::thread alice(...)".
std::string declared_after(const std::string& line, std::string_view before) {
    std::string name;
    const auto at = line.find(before);
    for (auto i = at == std::string::npos ? line.size() : at + before.size(); i < line.size();
         ++i) {
        if (std::isalnum(static_cast<unsigned char>(line[i])) == 0 && line[i] != '_') break;
        name += line[i];
    }
    return name;
}

/// Debug information may name the end of a statement that makes a thread, as in "});".
source_place start_of_statement(const source_place& p) {
    constexpr int longest = 20; // lines
    source_place above = p;
    const std::string line = source_line(p);
    for (int n = 0; n < longest && !line.empty() && line.front() == '}' && above.line > 1; ++n) {
        --above.line;
        if (source_line(above).find("thread ") != std::string::npos) return above;
    }
    return p;
}

} // namespace

/// "alice, from bank.cpp:28", after the variable that holds the thread where there is one.
std::string teller::thread_name(u32 thread) const {
    std::map<std::string, int> made; // threads, by the place that makes them
    source_place from;
    for (const event* e : events) {
        if (e->kind != op::create) continue;
        const source_place p = place(e->where);
        ++made[where(p)];
        if (e->aux == thread) from = p;
    }
    if (from.file.empty()) return "";
    const bool alone = made[where(from)] == 1; // else the name would be that of several
    from = start_of_statement(from);
    const std::string line = source_line(from);
    std::string name;
    for (const char* word : {"thread ", "auto "})
        if (alone && name.empty()) name = declared_after(line, word);
    return fmt::format("{}from {}", name.empty() ? "" : name + ", ", where(from));
}

/// Makes the finding's story of what was put together.
void teller::fill_table() const {
    story& s = f.told;
    s.columns.clear();
    s.rows.clear();
    s.sources.clear();
    u32 number = 0;
    std::set<u32> threads;
    for (const auto& each : steps) {
        story_row row{
            each.number, 0, each.thread, each.text, each.value, each.expected, each.place};
        if (!each.gap) row.number = ++number;
        if (!each.gap) threads.insert(each.thread);
        if (each.repeated > 0) row.text += fmt::format(" ({} times)", each.repeated + 1);
        s.rows.push_back(row);
        if (each.place.line == 0 || s.sources.size() == max_sources) continue;
        const auto same = [&](const story::excerpt& x) {
            return where(x.place) == where(each.place);
        };
        if (std::any_of(s.sources.begin(), s.sources.end(), same)) continue;
        const std::string text = source_line(each.place);
        if (!text.empty()) s.sources.push_back({each.place, text});
    }
    for (const u32 t : threads) s.columns.push_back({t, t == 0 ? "" : thread_name(t)});
    const auto has_value = [](const story_row& r) { return !r.value.empty(); };
    s.variables.clear();
    if (std::any_of(s.rows.begin(), s.rows.end(), has_value))
        for (const auto& v : variables)
            s.variables += (s.variables.empty() ? "" : ", ") + v.what.name;
}

} // namespace heddle::check
