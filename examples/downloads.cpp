// Lesson: many downloads, with threads. The same pages, fetched in four ways.
//
//   downloads [URL...]      (default: five pages of a small site on loopback)
//
// What to notice: waiting is not work, so pages fetched together take as long as the slowest, not
// the sum (times are on stderr). One session serves all threads, without a lock, and keeps its
// connections. A status like 404 is a value until `raise_for_status` makes it an exception; a page
// that fails spoils nothing. And what is to be computed from a page goes to the pool while the
// others are still coming.
#include "web/site.hpp"

#include <heddle/http.hpp>
#include <heddle/print.hpp>
#include <heddle/thread_pool.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace http = heddle::http;
using urls_type = std::vector<std::string>;

/// "…/news": what is printed of a URL, since the port differs from run to run.
std::string name_of(const std::string& url) {
    const std::string local = "http://127.0.0.1:";
    return url.starts_with(local) ? url.substr(url.find('/', local.size())) : url;
}

std::string size_of(const http::response& page) {
    page.raise_for_status();
    return std::to_string(page.body.size()) + " bytes";
}

/// Waits for the page and says what became of it.
std::string story_of(const heddle::future<http::response>& page) {
    try {
        return size_of(page.result());
    } catch (const http::status_error& e) {
        return "status " + std::to_string(e.status());
    } catch (const http::request_error& e) {
        return std::string("failed: ") + e.what();
    }
}

void one_after_the_other(http::session& session, const urls_type& urls) {
    for (const std::string& url : urls) {
        heddle::print(" ", name_of(url), story_of(session.get(url)));
    }
}

void pool_and_map(http::session& session, const urls_type& urls) {
    heddle::thread_pool pool({.max_workers = 5});
    const auto fetch = [&](const std::string& url) { return story_of(session.get(url)); };
    std::size_t at = 0;
    for (const std::string& story : pool.map(fetch, urls)) {
        heddle::print(" ", name_of(urls[at++]), story); // in the order of `urls`
    }
}

void as_they_come(http::session& session, const urls_type& urls) {
    std::unordered_map<heddle::future<http::response>, std::string> names;
    std::vector<heddle::future<http::response>> pages; // a request needs no thread to wait in
    for (const std::string& url : urls) {
        pages.push_back(session.get(url));
        names[pages.back()] = name_of(url);
    }
    for (const auto& page : heddle::as_completed(pages)) {
        heddle::print(" ", names[page], story_of(page));
    }
}

std::size_t count_words(const heddle::future<http::response>& page) {
    std::istringstream words(page.result().text());
    std::size_t count = 0;
    for (std::string word; words >> word;) ++count;
    return count;
}

void download_and_compute(http::session& session, const urls_type& urls) {
    heddle::thread_pool pool; // a worker a core: this is work
    std::vector<heddle::future<std::size_t>> counts;
    for (const std::string& url : urls) counts.push_back(session.get(url).then(pool, count_words));
    for (std::size_t i = 0; i < urls.size(); ++i) {
        const auto count = counts[i].outcome();
        heddle::print(" ", name_of(urls[i]), count.has_value() ? count.value() : 0, "words");
    }
}

int main(int argc, char** argv) {
    urls_type urls(argv + 1, argv + argc);
    std::unique_ptr<web::site> site;
    if (urls.empty()) {
        site = std::make_unique<web::site>(web::lesson_pages());
        urls = site->urls();
    }
    http::session session({.timeout = std::chrono::seconds(10)});
    struct {
        const char* name;
        void (*run)(http::session&, const urls_type&);
    } const ways[] = {{"one after the other:", one_after_the_other},
                      {"pool.map, in order:", pool_and_map},
                      {"as_completed, as they come:", as_they_come},
                      {"downloads by the session, words by a pool:", download_and_compute}};
    for (const auto& way : ways) {
        heddle::print(way.name);
        const auto start = std::chrono::steady_clock::now();
        way.run(session, urls);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        std::fprintf(stderr, "  (%.2f s)\n", took.count());
    }
}
