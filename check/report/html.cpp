// One self-contained page: no scripts, no network, light and dark, wide and narrow.
#include "formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace heddle::check {

namespace {

constexpr const char* style = R"(
:root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d1f24;--soft:#666b76;
--line:#e4e1db;
--bad:#b3261e;--bad-soft:#fbe9e7;--good:#1b6e4b;--code:#f4f2ee;
--t0:#5b6170;--t1:#0b62c4;--t2:#a8500a;--t3:#7a36b1;--t4:#0a7a6b;--t5:#b0276b}
@media(prefers-color-scheme:dark){:root{--ground:#15171b;--card:#1d2026;--ink:#e8e6e1;
--soft:#9aa0ac;
--line:#31353d;--bad:#ff8a80;--bad-soft:#3a2322;--good:#7bd8ab;--code:#24282f;
--t0:#aab0be;--t1:#7db7ff;--t2:#ffb472;--t3:#cfa3ff;--t4:#6fdccb;--t5:#ff9ac9}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,
"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;line-height:1.35;margin:.5rem 0 .35rem}
code,pre,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:.86em}
a{color:var(--t1)}
.soft{color:var(--soft);font-size:.9rem;margin:.15rem 0}
.verdict{margin:1.25rem 0;padding:.8rem 1rem;border-radius:10px;border:1px solid var(--line);
background:var(--card);font-weight:600}
.verdict.bad{border-color:var(--bad);background:var(--bad-soft)}
.verdict.good{border-color:var(--good)}
.index{margin:0 0 1.5rem;padding:0;list-style:none}
.index li{margin:.3rem 0}
article{background:var(--card);border:1px solid var(--line);border-radius:14px;
padding:1.1rem 1.3rem;
margin:1.5rem 0;overflow:hidden}
.kind{display:inline-block;font-size:.78rem;font-weight:600;letter-spacing:.02em;
padding:.1rem .6rem;
border-radius:99px;background:var(--bad-soft);color:var(--bad)}
table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.92rem}
th{text-align:left;font-weight:600;padding:.4rem .6rem;border-bottom:2px solid var(--line);
vertical-align:bottom}
th small{display:block;font-weight:400;color:var(--soft)}
td{padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.n{color:var(--soft);text-align:right;width:2.5rem}
td.v{border-left:2px solid var(--line);white-space:nowrap}
td.v b{color:var(--bad)}
.act{display:block;border-left:3px solid currentColor;padding:.05rem .5rem;border-radius:3px}
.act small{color:var(--soft);white-space:nowrap}
.t0{color:var(--t0)}.t1{color:var(--t1)}.t2{color:var(--t2)}.t3{color:var(--t3)}
.t4{color:var(--t4)}
.t5{color:var(--t5)}
.act span,.tell{color:var(--ink)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.45rem 1rem;margin:1rem 0}
dt{font-weight:600}dd{margin:0}
figure{margin:1rem 0 0}figcaption{color:var(--soft);font-size:.85rem;margin-bottom:.2rem}
pre{margin:0;background:var(--code);border-radius:8px;padding:.6rem 0;overflow-x:auto;
line-height:1.5}
pre span.l{display:block;padding:0 1rem;min-width:max-content}
pre span.hit{background:var(--bad-soft);box-shadow:inset 3px 0 var(--bad)}
pre i{font-style:normal;color:var(--soft);display:inline-block;width:3.2em}
pre em{font-style:normal;font-weight:600;padding-left:1.2em}
.replay{display:block;background:var(--code);border-radius:8px;padding:.5rem .8rem;
overflow-x:auto;
white-space:nowrap}
details{margin-top:1rem}summary{cursor:pointer;color:var(--soft)}
@media(max-width:44rem){main{padding:1.25rem .75rem 3rem}article{padding:.9rem .85rem}
thead{display:none}table,tbody,tr,td{display:block;width:auto}
tr{display:grid;grid-template-columns:2rem 1fr;border-bottom:1px solid var(--line);
padding:.35rem 0}
td,td.v{border:0;padding:.1rem .4rem;white-space:normal}td.n{width:auto;grid-row:1/3}
td.e{display:none}
td.a{grid-column:2}td.v{grid-column:2}td.v:empty{display:none}
td.v::before{content:attr(data-name) " = ";color:var(--soft)}
td.a::before{content:attr(data-name);font-size:.78rem;color:var(--soft)}dl{display:block}
dt{margin-top:.5rem}}
@media print{body{background:#fff}article{break-inside:avoid}}
)";

std::string escape(const std::string& text) {
    std::string out;
    for (const char ch : text) {
        if (ch == '<') out += "&lt;";
        else if (ch == '>') out += "&gt;";
        else if (ch == '&') out += "&amp;";
        else if (ch == '"') out += "&quot;";
        else out += ch;
    }
    return out;
}

/// Escaped, with what stands between backquotes as code.
std::string prose(const std::string& text) {
    std::string out;
    bool code = false;
    for (const char ch : escape(text)) {
        if (ch == '`') {
            out += code ? "</code>" : "<code>";
            code = !code;
        } else {
            out += ch;
        }
    }
    return code ? out + "</code>" : out;
}

std::string colour(u32 thread) {
    return thread == 0 ? "t0" : fmt::format("t{}", 1 + (thread - 1) % 5);
}

std::string table(const story& s) {
    if (s.rows.empty()) return "";
    std::string out = "<table><thead><tr><th></th>";
    for (const auto& c : s.columns)
        out += fmt::format("<th class=\"{}\">{}<small>{}</small></th>",
                           colour(c.thread),
                           who(c.thread),
                           escape(c.name));
    if (!s.variables.empty()) out += fmt::format("<th class=\"mono\">{}</th>", escape(s.variables));
    out += "</tr></thead><tbody>\n";
    for (const auto& r : s.rows) {
        out += fmt::format("<tr><td class=\"n\">{}</td>",
                           r.number == 0 ? "" : fmt::format("{}", r.number));
        for (const auto& c : s.columns) {
            if (c.thread != r.thread) {
                out += "<td class=\"e\"></td>";
                continue;
            }
            const std::string at =
                r.place.line == 0 ? "" : fmt::format(" <small>{}</small>", escape(where(r.place)));
            out += fmt::format(
                "<td class=\"a\" data-name=\"{}\"><span class=\"act {}\"><span>{}</span>"
                "{}</span></td>",
                who(c.thread),
                colour(c.thread),
                prose(r.text),
                at);
        }
        if (!s.variables.empty()) {
            std::string value = escape(r.value);
            if (!r.expected.empty()) value += fmt::format(" <b>not {}</b>", escape(r.expected));
            out += fmt::format(
                "<td class=\"v mono\" data-name=\"{}\">{}</td>", escape(s.variables), value);
        }
        out += "</tr>\n";
    }
    return out + "</tbody></table>\n";
}

std::vector<std::string> lines_of(const std::string& file) {
    std::vector<std::string> lines;
    std::ifstream in(file);
    for (std::string line; lines.size() < 100'000 && std::getline(in, line);) lines.push_back(line);
    return lines;
}

/// The lines around the story's places, with the threads that pass there.
std::string sources(const story& s) {
    constexpr int around = 2;
    std::map<std::string, std::map<int, std::vector<u32>>> files;
    for (const auto& r : s.rows) {
        if (r.place.line == 0) continue;
        auto& threads = files[r.place.file][r.place.line];
        if (std::find(threads.begin(), threads.end(), r.thread) == threads.end())
            threads.push_back(r.thread);
    }
    std::string out;
    for (const auto& [file, places] : files) {
        const auto lines = lines_of(file);
        if (lines.empty()) continue;
        out += fmt::format("<figure><figcaption>{}</figcaption><pre>", escape(file));
        int shown = 0;
        for (const auto& [line, threads] : places) {
            const int from = std::max(line - around, shown + 1);
            if (shown != 0 && from > shown + 1) out += "<span class=\"l\"><i>...</i></span>";
            int until = line + around;
            if (const auto next = places.upper_bound(line); next != places.end())
                until = std::min(until, next->first - 1);
            for (int n = from; n <= until && n <= static_cast<int>(lines.size()); ++n) {
                std::string marks;
                if (n == line)
                    for (const u32 t : threads)
                        marks += fmt::format("<em class=\"{}\">{}</em>", colour(t), who(t));
                out += fmt::format("<span class=\"l{}\"><i>{}</i>{}{}</span>",
                                   n == line ? " hit" : "",
                                   n,
                                   escape(lines[static_cast<std::size_t>(n) - 1]),
                                   marks);
                shown = n;
            }
        }
        out += "</pre></figure>\n";
    }
    return out;
}

std::string article(const finding& f, std::size_t number, const paper& p) {
    std::string out = fmt::format("<article id=\"f{}\"><span class=\"kind\">{}</span><h2>{}</h2>"
                                  "<p class=\"soft\">{}</p>\n",
                                  number,
                                  kind_name(f.kind),
                                  prose(f.told.claim),
                                  escape(f.told.facts));
    out += table(f.told) + "<dl>";
    for (const auto& n : f.told.notes)
        out += fmt::format("<dt>{}</dt><dd>{}</dd>", escape(n.label), prose(n.text));
    out += fmt::format("<dt>Replay</dt><dd><code class=\"replay\">{} replay {}</code></dd></dl>\n",
                       escape(p.tool),
                       escape(shell_word(f.path)));
    return out + sources(f.told) + "</article>\n";
}

} // namespace

std::string to_html(const summary& s, const paper& p) {
    const std::string program = file_name(s.program);
    std::string out =
        fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                    "<title>heddle: {0}</title><style>{1}</style></head><body><main>\n<h1>heddle "
                    "check {0}</h1>\n",
                    escape(program),
                    style);
    out += fmt::format("<p class=\"soft mono\">{}", escape(s.program));
    for (const auto& a : s.arguments) out += fmt::format(" {}", escape(a));
    out += "</p>\n";
    if (s.schedules > 0)
        out += fmt::format("<p class=\"soft\">{} in {:.1f} s, seed {}, {}</p>\n",
                           count(s.schedules, "schedule"),
                           s.seconds,
                           s.seed,
                           count(s.threads, "thread"));
    if (s.findings.empty())
        out +=
            fmt::format("<div class=\"verdict good\">No schedule of the {} that were run broke the "
                        "program. That is no proof that none does.</div>\n",
                        s.schedules);
    else if (s.schedules > 0)
        out += fmt::format("<div class=\"verdict bad\">{}</div>\n", bugs_found(s.findings));
    if (s.findings.size() > 1) {
        out += "<ul class=\"index\">";
        for (std::size_t i = 0; i < s.findings.size(); ++i)
            out += fmt::format("<li><span class=\"kind\">{}</span> <a href=\"#f{}\">{}</a></li>",
                               kind_name(s.findings[i].kind),
                               i + 1,
                               prose(s.findings[i].told.claim));
        out += "</ul>\n";
    }
    for (std::size_t i = 0; i < s.findings.size(); ++i) out += article(s.findings[i], i + 1, p);
    if (!s.limits.empty()) {
        out += "<details open><summary>What was not covered</summary><ul>";
        for (const auto& l : s.limits) out += fmt::format("<li>{}</li>", escape(l));
        out += "</ul></details>\n";
    }
    return out + "</main></body></html>\n";
}

} // namespace heddle::check
