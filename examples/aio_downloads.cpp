// Lesson: many downloads in one thread. The same five pages, fetched in four ways.
//
//   aio_downloads [URL...]      (default: five pages of a small site on loopback)
//
// What to notice: coroutines wait together, so five pages take as long as the slowest. `gather`
// keeps the order, `as_completed` gives what is there, `timeout` gives up on one page, whose
// transfer it aborts, and not on the others; `gather_outcomes` makes a failure a result.
#include "web/site.hpp"

#include <heddle/aio.hpp>
#include <heddle/http.hpp>
#include <heddle/print.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace aio = heddle::aio;
namespace http = heddle::http;

std::string name_of(const std::string& url) {
    const std::string local = "http://127.0.0.1:";
    return url.starts_with(local) ? url.substr(url.find('/', local.size())) : url;
}

aio::task<std::string> fetch(http::session& session, std::string url) {
    const http::response page = co_await session.get(url);
    page.raise_for_status();
    co_return name_of(url) + " (" + std::to_string(page.body.size()) + " bytes)";
}

aio::task<std::string>
fetch_or_say_why(http::session& session, std::string url, std::chrono::milliseconds limit) {
    try {
        std::string text = co_await aio::timeout(limit, fetch(session, url));
        co_return text;
    } catch (const heddle::timeout_error&) {
        co_return name_of(url) + " took too long";
    } catch (const http::status_error& e) {
        co_return name_of(url) + " failed: status " + std::to_string(e.status());
    } catch (const http::request_error& e) {
        co_return name_of(url) + " failed: " + e.what();
    }
}

std::vector<aio::task<std::string>> fetch_all(http::session& session,
                                              const std::vector<std::string>& urls) {
    std::vector<aio::task<std::string>> all;
    for (const std::string& url : urls) all.push_back(fetch(session, url));
    return all;
}

aio::task<> main_task(http::session& session, std::vector<std::string> urls) {
    heddle::print("in order, each with its limit, two at a time:");
    std::vector<aio::task<std::string>> limited;
    for (const std::string& url : urls) limited.push_back(fetch_or_say_why(session, url, 320ms));
    const std::vector<std::string> texts = co_await aio::gather(std::move(limited), {.limit = 2});
    for (const std::string& text : texts) heddle::print(" ", text);

    heddle::print("as they come:");
    auto coming = aio::as_completed(fetch_all(session, urls));
    for (;;) {
        const auto next = co_await coming.next();
        if (!next) break;
        heddle::print(" ", next->has_value() ? next->value() : "a failure");
    }

    heddle::print("every outcome:");
    const auto outcomes = co_await aio::gather_outcomes(fetch_all(session, urls));
    for (std::size_t i = 0; i < urls.size(); ++i) {
        heddle::print(" ", name_of(urls[i]), outcomes[i].has_value() ? "came" : "did not come");
    }

    heddle::print("all or nothing:");
    try {
        const auto all = co_await aio::gather(fetch_all(session, urls));
        heddle::print("  all", all.size(), "came");
    } catch (const http::status_error& e) {
        heddle::print("  one failed, the slower ones were cancelled: status", e.status());
    } catch (const http::request_error& e) {
        heddle::print("  one failed, the slower ones were cancelled:", e.what());
    }
}

int main(int argc, char** argv) {
    std::vector<std::string> urls(argv + 1, argv + argc);
    std::unique_ptr<web::site> site;
    if (urls.empty()) {
        site = std::make_unique<web::site>(web::lesson_pages());
        urls = site->urls();
    }
    http::session session;
    aio::run(main_task(session, urls));
}
