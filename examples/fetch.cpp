// Fetches URLs, several at once, and says what became of each.
//
//   fetch [-o DIR] [-j N] [-t SECONDS] [-r N] URL...
//
//   -o DIR       write each page to a file in DIR, named after its URL; DIR is made if need be
//   -j N         at most N requests to one host at once (8)
//   -t SECONDS   a limit for each page (60)
//   -r N         try up to N times what fails for a moment (1)
//
// Prints a line for each URL as it ends, and a bar on a terminal when the lines go elsewhere. Ends
// with 0; 1 if a page failed or has a status of 400 or more; 2 if it was called wrongly.
#include <heddle/http.hpp>
#include <heddle/print.hpp>
#include <heddle/progress.hpp>
#include <heddle/wait.hpp>

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace http = heddle::http;

namespace {

struct arguments {
    std::string folder;
    int at_once = 8;
    int seconds = 60;
    int attempts = 1;
    std::vector<std::string> urls;
};

int number(const char* text, const char* option) {
    int value = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc() || stop != end || value < 1 || value > 1'000'000) {
        throw std::invalid_argument(std::string(option) + " needs a number from 1 on, not '" +
                                    text + "'");
    }
    return value;
}

arguments parse(int argc, char** argv) {
    arguments made;
    for (int option = 0; (option = getopt(argc, argv, "+:o:j:t:r:")) != -1;) {
        switch (option) {
        case 'o': made.folder = optarg; break;
        case 'j': made.at_once = number(optarg, "-j"); break;
        case 't': made.seconds = number(optarg, "-t"); break;
        case 'r': made.attempts = number(optarg, "-r"); break;
        case ':': throw std::invalid_argument(std::string("-") + char(optopt) + " needs a value");
        default: throw std::invalid_argument(std::string("there is no option -") + char(optopt));
        }
    }
    made.urls.assign(argv + optind, argv + argc);
    if (made.urls.empty()) throw std::invalid_argument("give at least one URL");
    return made;
}

/// A name for the page's file: the last part of its path, and a number if that is taken.
std::string file_name(const std::string& url, std::set<std::string>& taken) {
    std::string path = url.substr(0, url.find_first_of("?#"));
    const std::size_t host = path.find("://");
    path.erase(0, host == path.npos ? 0 : host + 3);
    const std::size_t slash = path.rfind('/');
    std::string name = slash == path.npos ? "" : path.substr(slash + 1);
    if (name.empty() || name.starts_with('.')) name = "index.html";
    const std::string wanted = name;
    for (int i = 2; !taken.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
    return name;
}

/// What became of one URL.
struct job {
    std::string url;
    std::string file; ///< empty: the page is only counted
    std::shared_ptr<std::size_t> bytes = std::make_shared<std::size_t>(0);
};

heddle::future<http::response> start(http::session& session, const arguments& a, const job& j) {
    http::request what{.url = j.url};
    if (j.file.empty()) {
        what.on_body = [bytes = j.bytes](std::string_view piece) { *bytes += piece.size(); };
    } else {
        what.save_as = j.file;
        what.progress = [bytes = j.bytes](const heddle::progress_state& p) { *bytes = p.done; };
    }
    if (a.attempts > 1) what.retry = heddle::retry_options{.attempts = a.attempts};
    return session.request(std::move(what));
}

/// Prints the line of a page that has ended; true if all is well with it.
bool report(const job& j, const heddle::future<http::response>& page) {
    try {
        const http::response& r = page.result();
        heddle::print(r.status,
                      r.ok() ? std::to_string(*j.bytes) + " bytes" : "failed",
                      r.url,
                      r.ok() && !j.file.empty() ? "-> " + j.file : "");
        return r.ok();
    } catch (const std::exception& e) {
        heddle::print("---", "failed", e.what());
        return false;
    }
}

int fetch_all(const arguments& a) {
    if (!a.folder.empty()) std::filesystem::create_directories(a.folder);
    http::session session(
        {.timeout = std::chrono::seconds(a.seconds), .max_connections_per_host = a.at_once});
    std::set<std::string> taken;
    std::unordered_map<heddle::future<http::response>, job> jobs;
    std::vector<heddle::future<http::response>> pages;
    int failed = 0;
    for (const std::string& url : a.urls) {
        job j{.url = url, .file = a.folder.empty() ? "" : a.folder + "/" + file_name(url, taken)};
        try {
            pages.push_back(start(session, a, j));
            jobs.emplace(pages.back(), std::move(j));
        } catch (const std::invalid_argument& e) {
            heddle::print("---", "failed", e.what());
            ++failed;
        }
    }
    const bool lines_go_elsewhere = isatty(STDOUT_FILENO) == 0;
    const heddle::progress bar("fetching");
    const auto began = std::chrono::steady_clock::now();
    std::size_t done = 0;
    for (const auto& page : heddle::as_completed(pages)) {
        if (!report(jobs.at(page), page)) ++failed;
        if (lines_go_elsewhere) {
            bar({.done = ++done,
                 .total = pages.size(),
                 .elapsed = std::chrono::steady_clock::now() - began});
        }
    }
    return failed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return fetch_all(parse(argc, argv));
    } catch (const std::invalid_argument& e) {
        std::fprintf(stderr,
                     "fetch: %s\nusage: fetch [-o DIR] [-j N] [-t SECONDS] [-r N] URL...\n",
                     e.what());
        return 2;
    } catch (const std::filesystem::filesystem_error& e) {
        std::fprintf(stderr, "fetch: %s\n", e.what());
        return 2;
    }
}
