// The story as text, for a terminal of any width.
#include "formats.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::check {

namespace {

constexpr std::size_t max_lines = 25;
constexpr std::size_t number_width = 7; // "   12  "
constexpr std::size_t widest_value = 22;
constexpr std::size_t least_head = 9; // of the column of values
constexpr const char* thread_colours[] = {"36", "33", "35", "32", "34"};

/// Puts a colour around text; the text stays as wide as it is.
std::string in_colour(const paper& p, const char* code, const std::string& text) {
    return p.colour && !text.empty() ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

std::string padded(const std::string& text, std::size_t width) {
    return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

/// How much the head of a thread's column says: "thread 1 (alice, from :28)", "thread 1 (alice)",
/// "thread 1".
enum class heads { full, names, threads };

/// A table of one column a thread where that fits, of one column for all where it does not.
class table {
public:
    table(const story& s, const paper& p) : story_(s), paper_(p) {
        main_file_ = most_frequent_file();
        for (const auto& r : s.rows)
            value_ =
                std::max(value_, r.value.size() + (r.expected.empty() ? 0 : r.expected.size() + 8));
        if (s.variables.empty()) value_ = 0;
        const std::size_t values = value_;
        // From the fullest heads of columns to the shortest that fit.
        for (const auto tried : {heads::full, heads::names, heads::threads}) {
            heads_ = tried;
            const std::size_t threads = measure();
            const std::size_t name = std::min(s.variables.size(), widest_value);
            for (const std::size_t head : {name, std::min(name, least_head)}) {
                value_ = s.variables.empty() ? 0 : std::max(values, head);
                side_by_side_ = !widths_.empty() && number_width + threads + value_ <= paper_.width;
                if (side_by_side_) return;
            }
        }
    }

    std::vector<std::string> lines() const {
        std::vector<std::string> out;
        if (story_.rows.empty()) return out;
        out.push_back(side_by_side_ ? head() : narrow_head());
        for (const auto& r : story_.rows) out.push_back(line(r));
        return out;
    }

private:
    std::string most_frequent_file() const {
        std::string best;
        std::size_t most = 0;
        for (const auto& r : story_.rows) {
            const auto n = static_cast<std::size_t>(
                std::count_if(story_.rows.begin(), story_.rows.end(), [&](const story_row& other) {
                    return other.place.file == r.place.file;
                }));
            if (n > most && !r.place.file.empty()) {
                most = n;
                best = r.place.file;
            }
        }
        return best;
    }

    std::string heading(const story::column& c) const {
        if (c.name.empty() || heads_ == heads::threads) return who(c.thread);
        // "alice, from bank.cpp:28": the file needs no mention where it is the only one
        std::string name = c.name;
        const std::string file = file_name(main_file_) + ":";
        if (const auto at = name.find(file); at != std::string::npos)
            name.erase(at, file.size() - 1);
        if (heads_ == heads::names) {
            name.resize(name.find(',') == std::string::npos ? 0 : name.find(','));
            if (name.empty()) return who(c.thread);
        }
        return fmt::format("{} ({})", who(c.thread), name);
    }

    /// Sets the width of each thread's column; returns their sum.
    std::size_t measure() {
        widths_.clear();
        std::size_t sum = 0;
        for (const auto& c : story_.columns) {
            std::size_t wide = heading(c).size();
            for (const auto& r : story_.rows)
                if (r.thread == c.thread) wide = std::max(wide, cell(r).size());
            widths_.push_back(wide + 2);
            sum += wide + 2;
        }
        return sum;
    }

    std::string cell(const story_row& r) const {
        if (r.place.line == 0) return r.text;
        return r.place.file == main_file_ ? fmt::format("{}  :{}", r.text, r.place.line)
                                          : fmt::format("{}  {}", r.text, where(r.place));
    }

    const char* colour_of(u32 thread) const { return thread_colours[thread % 5]; }

    std::string head() const {
        std::string out = padded("  step", number_width);
        for (std::size_t i = 0; i < story_.columns.size(); ++i)
            out += in_colour(paper_,
                             colour_of(story_.columns[i].thread),
                             padded(heading(story_.columns[i]), widths_[i]));
        out += value_ == 0 ? "" : in_colour(paper_, "1", cut(story_.variables, value_));
        while (out.back() == ' ') out.pop_back();
        return out;
    }

    std::string narrow_head() const {
        return padded("  step", number_width) + padded("thread", 11) + "does" +
               (value_ == 0 ? "" : fmt::format("  [{}]", story_.variables));
    }

    std::string line(const story_row& r) const {
        std::string out =
            r.number == 0 ? std::string(number_width, ' ') : fmt::format("  {:>3}  ", r.number);
        if (side_by_side_) {
            for (std::size_t i = 0; i < story_.columns.size(); ++i) {
                const bool here = story_.columns[i].thread == r.thread;
                out += here ? in_colour(paper_, colour_of(r.thread), padded(cell(r), widths_[i]))
                            : std::string(widths_[i], ' ');
            }
            out += r.value;
        } else {
            out += in_colour(paper_, colour_of(r.thread), padded(who(r.thread), 11));
            out += cell(r);
            if (!r.value.empty()) out += fmt::format("  [{}]", r.value);
        }
        if (!r.expected.empty())
            out += in_colour(paper_, "1;31", fmt::format(" <-- not {}", r.expected));
        while (!out.empty() && out.back() == ' ') out.pop_back();
        return out;
    }

    const story& story_;
    const paper& paper_;
    std::string main_file_;
    std::vector<std::size_t> widths_;
    std::size_t value_ = 0;
    bool side_by_side_ = false;
    heads heads_ = heads::full;
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end == std::string::npos ? text.size() : end + 1;
    }
    return lines;
}

} // namespace

std::string fold(const std::string& head, const std::string& text, std::size_t width) {
    std::string out = head;
    std::size_t used = head.size();
    for (std::size_t at = 0; at < text.size();) {
        const auto space = std::min(text.find(' ', at), text.size());
        const std::size_t length = space - at;
        if (used + length > width && used > head.size()) {
            while (out.back() == ' ') out.pop_back();
            out += '\n';
            out.append(head.size(), ' ');
            used = head.size();
        }
        out += text.substr(at, length + (space < text.size() ? 1 : 0));
        used += length + 1;
        at = space + 1;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
}

std::string to_text(const finding& f, const paper& p) {
    const story& s = f.told;
    const auto rows = table(s, p).lines();
    std::vector<std::string> notes;
    for (const auto& n : s.notes) {
        auto lines = split(fold(padded(n.label + ":", 8), n.text, p.width));
        if (!lines.empty()) lines[0].replace(0, n.label.size(), in_colour(p, "1", n.label));
        notes.insert(notes.end(), lines.begin(), lines.end());
    }
    const auto claim = split(fold("", s.claim, p.width)), facts = split(fold("", s.facts, p.width));
    const std::size_t used = claim.size() + facts.size() + rows.size() + notes.size() + 1;
    const std::size_t sources =
        used >= max_lines ? 0 : std::min(s.sources.size(), max_lines - used);
    std::string out;
    for (const auto& l : claim) out += in_colour(p, "1;31", l) + "\n";
    for (const auto& l : facts) out += in_colour(p, "2", l) + "\n";
    for (const auto& l : rows) out += l + "\n";
    for (std::size_t i = 0; i < sources; ++i)
        out +=
            cut(fmt::format("  {} | {}", where(s.sources[i].place), s.sources[i].text), p.width) +
            "\n";
    for (const auto& l : notes) out += l + "\n";
    return out + in_colour(p, "1", "Replay") +
           fmt::format(": {} replay {}\n", p.tool, shell_word(f.path));
}

} // namespace heddle::check
